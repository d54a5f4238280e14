import fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildMap } from '../../../src/map/build-map.ts';
import { renderTree, type TreeStyles } from '../../../src/map/render-tree.ts';
import { anyMap, forwardOf, mcastNic, networkNic, networkOf, nicOf, userNic, vmOf } from './a-map.ts';

const same = (text: string): string => text;
const plain: TreeStyles = { unicode: true, strong: same, faint: same, good: same, warning: same };

const lab = buildMap({
  vms: [
    vmOf('router', [userNic('net0', { forwards: [forwardOf(10_022, 22)], ips: ['10.0.2.15'] }), mcastNic('net1')]),
    vmOf('behind', [mcastNic('net0')], 'stopped'),
    vmOf('web1', [networkNic('net0', 'lab', { ips: ['10.44.0.10'] })]),
    vmOf('lone', [], 'paused'),
    vmOf('a', [nicOf('c', { kind: 'stream', listen: { path: '/tmp/c' } }, { lost: true })]),
  ],
  networks: [networkOf('lab', { forwards: [forwardOf(8080, 80, 'web1')] })],
});

test('a tree: where it leads, networks, NICs, forwards', () => {
  expect(renderTree(lab, plain)).toBe(`outside
├── lab · nat · 10.44.0.0/24 · hub · up
│   ├── 127.0.0.1:8080 → web1:80
│   └── web1:net0  52:54:00:00:00:01  10.44.0.10
└── router:net0  52:54:00:00:00:01  10.0.2.15 · NAT 10.0.2.0/24
    └── 127.0.0.1:10022 → 22
no way out
├── multicast 230.0.0.1:12345
│   ├── behind:net0  52:54:00:00:00:01  (stopped)
│   └── router:net1  52:54:00:00:00:01 · also on NAT of its own
└── cable /tmp/c
    └── a:c  52:54:00:00:00:01  listens  lost
no network
└── lone  (paused)
`);
});

test('without UTF-8 nothing but ASCII', () => {
  const text = renderTree(lab, { ...plain, unicode: false });
  expect(text).toMatch(/^[\n -~]*$/);
  expect(text).toContain('|   |-- 127.0.0.1:8080 -> web1:80\n');
});

test('nothing at all is nothing', () => {
  expect(renderTree(buildMap({ vms: [], networks: [] }), plain)).toBe('');
});

test('each NIC is there once, each on a line of its own, and nothing moves the cursor', () => {
  fc.assert(
    fc.property(anyMap, (map) => {
      const text = renderTree(map, plain);
      // oxlint-disable-next-line no-control-regex -- that is what must not be there
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
      const nics = map.vms.flatMap((vm) => vm.nics).length;
      const alone = map.vms.filter((vm) => vm.nics.length === 0).length;
      expect(text.split('\n').filter((line) => /[├└]── vm\d/.test(line)).length).toBeGreaterThanOrEqual(nics + alone);
    }),
  );
});
