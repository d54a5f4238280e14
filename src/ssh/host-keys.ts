/** Host keys as ssh writes them down: lines of known_hosts and of ssh-keyscan. https://man.openbsd.org/sshd#SSH_KNOWN_HOSTS_FILE_FORMAT */
import type { WayIn } from './way-in.ts';

export interface HostKey {
  /** `ssh-ed25519`, … */
  readonly type: string;
  /** base64 */
  readonly key: string;
}

/** Each line is `HOSTS TYPE KEY`, perhaps after a marker such as `@revoked`, which is none of the guest's own. */
export function knownKeysOf(text: string): HostKey[] {
  return text.split('\n').flatMap((line) => {
    const [hosts = '', type = '', key = ''] = line.trim().split(/\s+/);
    return hosts === '' || /^[#@]/.test(hosts) || key === '' ? [] : [{ type, key }];
  });
}

/** True when the guest shows a key of a type that is known, and it is another one. */
export function isChangedKey(known: readonly HostKey[], shown: readonly HostKey[]): boolean {
  return shown.some(({ type, key }) => {
    const sameType = known.filter((one) => one.type === type);
    return sameType.length > 0 && sameType.every((one) => one.key !== key);
  });
}

export const scanArgs = ({ address, port }: WayIn): string[] => ['-T', '4', '-p', String(port), address];
