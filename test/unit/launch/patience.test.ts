import { expect, test } from 'vitest';
import { patienceFor } from '../../../src/launch/patience.ts';
import type { LaunchPlan } from '../../../src/plan/launch-plan.ts';
import type { Step } from '../../../src/plan/step.ts';
import { aNic, aPlan } from '../report/a-plan.ts';

const planWith = (kind: string, ...steps: Step[]): LaunchPlan => ({
  ...aPlan({ dir: '/x', qemu: '/qemu', steps }),
  nics: [{ ...aNic(), kind }],
});
const vde: Step = { kind: 'vde-switch', id: 'switch:net0', needsRoot: false, directory: '/run/vde.ctl' };
const passt = { kind: 'passt', id: 'passt:net0' } as Step;

test('only who may never answer is not waited for without end', () => {
  expect(patienceFor(planWith('user'))).toEqual({});
  expect(patienceFor(planWith('vde', vde)).patience).toMatchObject({
    over: expect.objectContaining({ code: 'host-failed', message: expect.stringContaining('/run/vde.ctl') }),
  });
});

test('a passt that qrun started is there before QEMU; one that QEMU starts may not come', () => {
  expect(patienceFor(planWith('passt', passt))).toEqual({});
  expect(patienceFor(planWith('passt')).patience).toMatchObject({
    over: expect.objectContaining({ code: 'qemu-failed', hint: expect.stringContaining('again') }),
  });
});
