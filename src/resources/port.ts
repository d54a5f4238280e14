/**
 * A port of the host's that QEMU will bind. It is tried here first, because QEMU's own message does not say why it failed or who is in the way;
 * between this look and QEMU's bind somebody may still be faster, and then the start fails with the same words (launch/start).
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { errnoOf, QrunError } from '../errors.ts';
import { readOwnAddresses } from '../host/own-addresses.ts';
import type { PortStep } from '../plan/step.ts';
import { canonicalAddress } from '../subnet.ts';
import { mayHaveSocket, holderOfPort } from '../system/ports.ts';
import type { System } from '../system/system.ts';
import type { Resource } from './resource.ts';

export const port: Resource<PortStep> = {
  describe: (step) => ({
    acquire: [{ op: 'check-port', protocol: step.protocol, address: step.address, port: step.port }],
    release: [],
  }),

  acquire: async (step, { system }) => {
    if (step.rules === undefined) refusePrivileged(step, system);
    if (step.port !== 'auto') {
      refuseTaken(step);
      if (isSurelyFree(step, step.port)) return { port: step.port };
      await tryPort(step, step.port);
      return { port: step.port };
    }
    return { port: (await lastIfFree(step)) ?? (await freePort(step)) };
  },

  // rules are what takes it, and they are given back
  looksOnly: ({ rules }) => rules !== undefined,

  release: async () => {},
};

/** For rules, which bind nothing: no socket of the host's has that number, so that it need not be tried whether one can be bound. 200 tries take 50 ms. */
function isSurelyFree({ protocol, address, rules }: PortStep, wanted: number): boolean {
  return rules !== undefined && !mayHaveSocket(protocol, wanted) && isOwnAddress(address);
}

function isOwnAddress(address: string): boolean {
  if (['0.0.0.0', '::', '127.0.0.1', '::1'].includes(address)) return true;
  return readOwnAddresses()?.has(canonicalAddress(address) ?? address) === true;
}

function refuseTaken({ protocol, address, port: wanted, rules }: PortStep): void {
  const [other] = rules?.taken ?? [];
  if (other === undefined) return;
  throw new QrunError('in-use', `${protocol} port ${wanted} on ${address} belongs to ${other.by}`, {
    hint: 'choose another port in forwards, or "auto" for a free one',
  });
}

const draws = 100;

/** The kernel gives one that nobody listens on; rules that lead elsewhere are unknown to it. */
async function freePort(step: PortStep): Promise<number> {
  for (let draw = 1; ; draw += 1) {
    const found = await bindOnce(step, 0);
    if (!isTaken(step, found) || draw === draws) return found;
  }
}

const isTaken = ({ rules }: PortStep, wanted: number): boolean =>
  rules?.taken.some((one) => one.port === wanted) === true;

async function lastIfFree(step: PortStep): Promise<number | undefined> {
  if (step.last === undefined || isTaken(step, step.last)) return undefined;
  try {
    return await bindOnce(step, step.last);
  } catch {
    return undefined;
  }
}

async function tryPort(step: PortStep, wanted: number): Promise<void> {
  try {
    await bindOnce(step, wanted);
  } catch (error) {
    throw faultOfBind(step, wanted, error);
  }
}

/** Binds and lets go; gives the port that the kernel chose for 0. */
function bindOnce(step: Pick<PortStep, 'protocol' | 'address' | 'rules'>, wanted: number): Promise<number> {
  // rules for IPv6 leave IPv4 alone
  const ipv6Only = step.rules !== undefined;
  return new Promise((resolve, reject) => {
    if (step.protocol === 'tcp') {
      const server = createServer();
      server.once('error', reject);
      server.listen({ host: step.address, port: wanted, exclusive: true, ipv6Only }, () => {
        const bound = server.address();
        server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : wanted));
      });
      return;
    }
    const six = step.address.includes(':');
    const socket = createSocket({ type: six ? 'udp6' : 'udp4', ipv6Only: six && ipv6Only });
    socket.once('error', reject);
    socket.bind({ address: step.address, port: wanted, exclusive: true }, () => {
      const { port: bound } = socket.address();
      socket.close(() => resolve(bound));
    });
  });
}

type Bound = Pick<PortStep, 'protocol' | 'address' | 'hint'>;

export function faultOfBind(step: Bound, wanted: number, error: unknown): QrunError {
  const where = `${step.protocol} port ${wanted} on ${step.address}`;
  switch (errnoOf(error)) {
    case 'EADDRINUSE':
      return portInUse(step, wanted);
    case 'EACCES':
      return privileged(where, wanted);
    case 'EADDRNOTAVAIL':
      return new QrunError('host-failed', `${where}: this host has no such address`, { hint: 'ip address' });
    default:
      return new QrunError('host-failed', `${where}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
  }
}

function privileged(where: string, wanted: number): QrunError {
  return new QrunError('permission', `${where}: ordinary users may not bind it`, {
    hint: `choose a port of 1024 or more, or: sudo sysctl net.ipv4.ip_unprivileged_port_start=${wanted}`,
  });
}

/** Root could bind it here, but root's QEMU is an ordinary user's when it binds. */
export function refusePrivileged(
  { protocol, address, port: wanted }: Pick<PortStep, 'protocol' | 'address' | 'port'>,
  { uid }: Pick<System, 'uid'>,
): void {
  if (uid !== 0 || wanted === 'auto' || wanted >= firstUnprivilegedPort()) return;
  throw privileged(`${protocol} port ${wanted} on ${address}`, wanted);
}

function firstUnprivilegedPort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  } catch {
    return 1024;
  }
}

/** Somebody took the free port that an `auto` forward was given, between our look and the bind: the start is tried again with another. */
export class AutoPortTaken extends QrunError {}

export function portInUse(step: Bound, wanted: number): QrunError {
  const holder = holderOfPort({ protocol: step.protocol, address: step.address, port: wanted });
  const by = holder === undefined ? '' : ` by ${holder.description}`;
  return new QrunError('in-use', `${step.protocol} port ${wanted} on ${step.address} is in use${by}`, {
    hint: step.hint ?? 'choose another port in forwards, or "auto" for a free one',
  });
}
