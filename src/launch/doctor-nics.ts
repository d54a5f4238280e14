/** What `qrun doctor` says of the kinds of NICs that need nothing but this QEMU and loopback: mcast, stream, dgram, l2tpv3. */
import { networkInterfaces } from 'node:os';
import type { QemuCapabilities } from '../qemu/capabilities.ts';
import type { Check } from './doctor.ts';

/** Types of back end of which one must be built in. */
const backEnds: Readonly<Record<string, readonly string[]>> = {
  mcast: ['socket', 'dgram'],
  stream: ['stream'],
  dgram: ['dgram'],
  l2tpv3: ['l2tpv3'],
};

/** @param qemu undefined: there is none to ask */
export function examineCables(qemu: QemuCapabilities | undefined): Check[] {
  return [loopback(), ...(qemu === undefined ? [] : [cables(qemu)])];
}

/** Interfaces that are down are left out by the C library. */
function loopback(): Check {
  const addresses = Object.values(networkInterfaces()).flatMap((rows) => rows ?? []);
  const up = addresses.some(({ address }) => address === '127.0.0.1');
  return {
    id: 'loopback',
    what: 'loopback (forwards; mcast, stream, dgram, l2tpv3 on this host)',
    state: up ? 'ok' : 'fail',
    evidence: up ? '127.0.0.1 is up' : 'no interface that is up has 127.0.0.1',
    mend: up ? null : 'sudo ip link set lo up',
  };
}

function cables({ file, netdevTypes, netdevMembers }: QemuCapabilities): Check {
  const missing = Object.keys(backEnds).filter(
    (kind) => backEnds[kind]?.some((type) => netdevTypes.includes(type)) !== true,
  );
  const members = netdevMembers['stream'] ?? [];
  const again = members.includes('reconnect-ms') || members.includes('reconnect');
  const tries = again
    ? 'a stream connects again when the other end comes back'
    : 'a stream connects once: start the VM that listens first (QEMU 8.0 tries again)';
  return {
    id: 'cables',
    what: 'NICs between guests without rights (mcast, stream, dgram, l2tpv3)',
    state: missing.length === 0 ? 'ok' : 'warn',
    evidence:
      missing.length === 0 ? `all are built in; ${tries}` : `${file} is built without what ${missing.join(', ')} need`,
    mend: missing.length === 0 ? null : 'QRUN_QEMU=… another QEMU (stream and dgram: 7.2 or newer)',
  };
}
