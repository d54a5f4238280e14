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

/**
 * What to ask the guest for: keys of the known types alone, each of which is a connection and an exchange of keys that the guest has to reckon out.
 * @param timeoutS for which it may be silent: the arithmetic takes an emulated guest seconds
 */
export function scanArgs({ address, port }: WayIn, known: readonly HostKey[], timeoutS: number): string[] {
  const types = new Set(known.map(({ type }) => type).filter((type) => scannable.test(type)));
  return ['-T', String(timeoutS), '-p', String(port), ...(types.size > 0 ? ['-t', [...types].join(',')] : []), address];
}

/** ssh-keyscan refuses to start for a type that it does not know. */
const scannable = /^(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521))$/;
