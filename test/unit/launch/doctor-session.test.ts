import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { checkOfSession, checkOfUserNamespaces, parseLogind } from '../../../src/launch/doctor-session.ts';

const shipped = readFileSync(new URL('fixtures/logind-debian.conf', import.meta.url), 'utf8');
const kills = (...texts: readonly string[]) => parseLogind([shipped, ...texts]);
const session = { user: 'alice', logind: true, linger: false, conf: kills() };

test('logind: what is built in stands behind a #, the last that is written counts', () => {
  expect(kills()).toEqual({ killUserProcesses: false, killOnly: [], killExclude: ['root'] });
  expect(parseLogind(['#KillUserProcesses=yes\n']).killUserProcesses).toBe(true);
  expect(parseLogind([]).killUserProcesses).toBe(false);
  expect(kills('[Login]\nKillUserProcesses=yes\n', '[Login]\nKillUserProcesses = no\n').killUserProcesses).toBe(false);
  expect(kills('KillUserProcesses=true\nKillOnlyUsers=bob  carol\nKillExcludeUsers=root alice\n')).toEqual({
    killUserProcesses: true,
    killOnly: ['bob', 'carol'],
    killExclude: ['root', 'alice'],
  });
});

test('a VM outlives the session where logind kills nothing, where it is not for this user, and where there is none', () => {
  expect(checkOfSession(session)).toMatchObject({
    id: 'session',
    state: 'ok',
    evidence: 'KillUserProcesses=no; alice does not linger',
  });
  const conf = kills('KillUserProcesses=yes\nKillExcludeUsers=root alice\n');
  expect(checkOfSession({ ...session, conf, linger: true })).toMatchObject({
    state: 'ok',
    evidence: 'KillUserProcesses=yes, and not for alice; alice lingers',
  });
  expect(checkOfSession({ ...session, conf: kills('KillUserProcesses=yes\nKillOnlyUsers=bob\n') }).state).toBe('ok');
  expect(checkOfSession({ ...session, logind: false, conf: kills('KillUserProcesses=yes\n') }).state).toBe('ok');
});

test('where it kills, lingering alone does not help', () => {
  const conf = kills('KillUserProcesses=yes\n');
  expect(checkOfSession({ ...session, conf })).toMatchObject({
    state: 'warn',
    mend: 'loginctl enable-linger alice && systemd-run --user --scope qrun run -d NAME',
  });
  expect(checkOfSession({ ...session, conf, linger: true })).toMatchObject({
    state: 'warn',
    mend: 'systemd-run --user --scope qrun run -d NAME',
  });
});

test('user namespaces: allowed; restricted by AppArmor, by Debian’s setting, by their number; not in this kernel', () => {
  const fine = { apparmor: undefined, clone: undefined, most: '96365' };
  expect(checkOfUserNamespaces(fine)).toMatchObject({ state: 'ok', mend: null });
  expect(checkOfUserNamespaces({ ...fine, apparmor: '0', clone: '1' })).toMatchObject({ state: 'ok' });
  expect(checkOfUserNamespaces({ ...fine, apparmor: '1' })).toMatchObject({
    state: 'warn',
    evidence: expect.stringContaining('kernel.apparmor_restrict_unprivileged_userns is 1'),
    mend: 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
  });
  expect(checkOfUserNamespaces({ ...fine, clone: '0' }).mend).toBe('sudo sysctl -w kernel.unprivileged_userns_clone=1');
  expect(checkOfUserNamespaces({ ...fine, most: '0' }).mend).toBe('sudo sysctl -w user.max_user_namespaces=15000');
  expect(checkOfUserNamespaces({ ...fine, most: undefined })).toMatchObject({ state: 'warn', mend: null });
});
