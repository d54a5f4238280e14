/** `qrun run -d` of a VM that stands still (`-S`), until QMP answers. */
import { bareArgv, killBare } from './bare-qemu.mjs';
import { startLibvirt } from './libvirt.mjs';
import { Home } from './place.mjs';
import { waitUntilGone } from './processes.mjs';
import { takeTurns } from './rounds.mjs';

/** A VM without a guest. */
export const standingProfile = 'memory: 64M\naccel: tcg\nconsole: none\ndisplay: none\nargs: ["-S"]\n';

function createStandingHome(place, name) {
  const home = new Home(place, name);
  home.profile('p1', standingProfile);
  return home;
}

async function runAndKill(home) {
  const ms = home.timeQrun('run', '-q', '-d', 'p1');
  home.qrun('kill', '-q', 'p1');
  await waitUntilGone(home.dir);
  return ms;
}

export const detached = {
  name: 'detached',
  async run(bench) {
    const home = createStandingHome(bench.place, 'detached');
    const bare = bareArgv(JSON.parse(home.qrun('show', '--json', 'p1')), home.bare, 'p1');
    const times = await takeTurns(
      {
        node: () => home.timeNode(),
        bare: async () => {
          const ms = home.time(bare);
          killBare(home.bare, 'p1');
          await waitUntilGone(home.dir);
          return ms;
        },
        qrun: () => runAndKill(home),
      },
      bench.turns,
    );
    bench.figure({
      name: 'qrun run -d, beyond bare QEMU',
      against: 'node -e 0',
      bound: 4,
      aim: 2.5,
      times,
      value: ({ qrun, bare: qemu, node }) => (qrun - qemu) / node,
    });
    bench.ratio({ name: 'qrun run -d', against: 'bare QEMU', times, of: 'qrun', to: 'bare' });
  },
};

export const virsh = {
  name: 'virsh',
  async run(bench) {
    const home = createStandingHome(bench.place, 'virsh');
    const plan = JSON.parse(home.qrun('show', '--json', 'p1'));
    const libvirt = await startLibvirt(new Home(bench.place, 'libvirt'), plan);
    if ('why' in libvirt) return bench.skip('virsh', libvirt.why);
    try {
      const times = await takeTurns({ virsh: () => libvirt.timeCreate(), qrun: () => runAndKill(home) }, bench.turns);
      bench.ratio({ name: 'qrun run -d', against: 'virsh create', bound: 0.5, times, of: 'qrun', to: 'virsh' });
    } finally {
      await libvirt.end();
    }
  },
};
