import { describe, expect, test } from 'vitest';
import { isGroupless } from '../../../src/host/kvm.ts';
import { planAccel } from '../../../src/plan/accel.ts';
import type { HostFacts } from '../../../src/host/facts.ts';
import type { Profile } from '../../../src/profile/profile.ts';

const choose = (accel: Profile['accel'], kvm: HostFacts['kvm']) =>
  planAccel(
    { accel } as Profile,
    { kvm, user: { name: 'alice', uid: 1000, gid: 1000, home: '/home/alice' } } as unknown as HostFacts,
  );

describe('ABUSE 58: KVM that cannot be had', () => {
  test('auto falls back to TCG and says so', () => {
    for (const kvm of [
      { present: false, openable: false },
      { present: true, openable: false },
    ]) {
      const { accel, notes } = choose('auto', kvm);
      expect(accel).toBe('tcg');
      expect(notes.join()).toMatch(/TCG.*no security boundary/);
    }
  });

  test('kvm never falls back, and says the one command', () => {
    expect(() => choose('kvm', { present: false, openable: false })).toThrow(
      expect.objectContaining({ code: 'missing-feature' }),
    );
    expect(() => choose('kvm', { present: true, openable: false })).toThrow(
      expect.objectContaining({ code: 'permission', hint: expect.stringContaining('usermod -aG kvm alice') }),
    );
  });
});

test('root is told of whoever QEMU runs as; of nobody no group counts', () => {
  const kvm = { present: true, openable: false };
  const user = { name: 'root', uid: 0, gid: 0, home: '/root' };
  const faultAs = (name: string): unknown => {
    try {
      return planAccel({ accel: 'kvm' } as Profile, { kvm, user, runAs: { name, uid: 1, gid: 1 } });
    } catch (error) {
      return error;
    }
  };
  expect(faultAs('nobody')).toMatchObject({
    message: 'nobody may not open /dev/kvm',
    hint: expect.stringMatching(/^sudo qrun setup && sudo usermod -aG kvm qrun {3}# or: accel: tcg$/),
  });
  expect(faultAs('qrun')).toMatchObject({
    message: 'qrun may not open /dev/kvm',
    hint: expect.stringMatching(/^sudo usermod -aG kvm qrun {3}#/),
  });
});

test('where its group has no right to it either, no group is told', () => {
  expect(() => choose('kvm', { present: true, openable: false, groupless: true })).toThrow(
    expect.objectContaining({ code: 'permission', hint: 'sudo chmod a+rw /dev/kvm   # or: accel: tcg' }),
  );
  const of = (mode: number, gid: number): boolean => isGroupless({ mode, gid });
  expect([of(0o020660, 105), of(0o020600, 105), of(0o020660, 0), of(0o020666, 0)]).toEqual([false, true, true, false]);
});

test('auto takes KVM that works or was not tried, and obeys the verdict on KVM that does not', () => {
  expect(choose('auto', { present: true, openable: true })).toEqual({ accel: 'kvm', notes: [] });
  expect(choose('auto', { present: true, openable: true, verdict: 'works' }).accel).toBe('kvm');
  expect(choose('auto', { present: true, openable: true, verdict: 'broken' })).toMatchObject({
    accel: 'tcg',
    notes: [expect.stringContaining('smoke test')],
  });
});

test('tcg is TCG, without a word', () => {
  expect(choose('tcg', { present: true, openable: true, verdict: 'works' })).toEqual({ accel: 'tcg', notes: [] });
});
