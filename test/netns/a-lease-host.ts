/**
 * Root's host with networks of its own, guests on them that ask for addresses and names, and a name server outside:
 *
 *     guest eth0   on a bridge, with addresses of its own for what takes one
 *     out 192.0.2.2, fd92::2   beyond up0, 192.0.2.1, fd92::1: answers every name with 198.51.100.7, and is who /etc/resolv.conf names
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { canonicalAddress } from '../../src/subnet.ts';
import { createNamespace, Running, type Namespace } from '../harness/harness.ts';
import { createBridgedHost, type BridgedHost } from './a-bridged-host.ts';

const agent = path.resolve(import.meta.dirname, 'lease-agent.mjs');
/** What is expected to come has time on a busy machine; what is not is asked for thrice. */
export const silent = { giveUpMs: 1500, retryMs: 400 } as const;

export interface Lease {
  readonly ip: string;
  readonly next: string;
  readonly file: string;
  /** In hex, by code. */
  readonly options: Readonly<Record<number, string>>;
}

export interface AskDhcp {
  readonly mac: string;
  readonly requested?: string;
  readonly renews?: string;
  readonly hostName?: string;
  readonly clientId?: string;
  readonly wants?: readonly number[];
  readonly leaseS?: number;
  readonly discoverOnly?: boolean;
  readonly giveUpMs?: number;
  readonly retryMs?: number;
}

export interface AskDhcp6 extends Pick<AskDhcp, 'mac' | 'hostName' | 'giveUpMs' | 'retryMs'> {
  /** One is asked for; else only what else there is to tell. */
  readonly addresses: boolean;
  /** Bytes in hex; default: made from the MAC. */
  readonly duid?: string;
  readonly iaid?: number;
}

export interface Answered {
  readonly code: number;
  readonly answers: readonly string[];
}

export class Guest {
  readonly namespace: Namespace;
  readonly #agent: Running;
  #asked = 0;

  private constructor(namespace: Namespace, words: readonly string[]) {
    this.namespace = namespace;
    this.#agent = new Running(namespace.wrap([process.execPath, agent, ...words]), {
      env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' },
      cwd: '/',
      interactive: true,
      timeoutMs: 600_000,
    });
  }

  /** Its agent ends with its namespace. */
  static async create(namespace: Namespace, ...words: string[]): Promise<Guest> {
    const guest = new Guest(namespace, words);
    await guest.#agent.waitFor(/ready/);
    return guest;
  }

  must(line: string): string {
    const result = this.namespace.run(line.split(' '));
    expect({ line, ...result }).toMatchObject({ status: 0 });
    return result.stdout;
  }

  async #ask<T>(how: string, question: object): Promise<T | null> {
    this.#asked += 1;
    const id = this.#asked;
    this.#agent.type(`${JSON.stringify({ id, how, ...question })}\n`);
    const [, text = ''] = await this.#agent.waitFor(new RegExp(`^answer ${id} (.*)$`, 'm'));
    return JSON.parse(text) as T | null;
  }

  dhcp(question: AskDhcp): Promise<Lease | null> {
    return this.#ask('dhcp', question);
  }

  /** The address that it is given; `none` where nobody answers. */
  async address(mac: string, question: Omit<AskDhcp, 'mac'> = {}): Promise<string> {
    return (await this.dhcp({ mac, ...question }))?.ip ?? 'none';
  }

  dhcp6(question: AskDhcp6) {
    return this.#ask<{ readonly addresses: readonly string[]; readonly options: Readonly<Record<number, string>> }>(
      'dhcp6',
      question,
    );
  }

  /** The address of IPv6 that it is given; `none` where nobody answers, or has one for it. */
  async address6(mac: string, question: Omit<AskDhcp6, 'mac' | 'addresses'> = {}): Promise<string> {
    const hex = (await this.dhcp6({ mac, addresses: true, ...question }))?.addresses[0];
    if (hex === undefined) return 'none';
    return canonicalAddress((hex.match(/.{4}/g) ?? []).join(':')) ?? hex;
  }

  dns(
    server: string,
    name: string,
    more: { readonly type?: string; readonly giveUpMs?: number; readonly retryMs?: number } = {},
  ) {
    return this.#ask<Answered>('dns', { server, name, ...more });
  }

  /** What it resolves to; the code of the refusal where it does not. */
  async resolve(server: string, name: string, type = 'A'): Promise<string> {
    const answer = await this.dns(server, name, { type });
    if (answer === null) return 'silence';
    return answer.answers.length > 0 ? answer.answers.join(' ') : `code ${answer.code}`;
  }

  tftp(server: string, file: string) {
    return this.#ask<{ readonly data: string } | { readonly error: number }>('tftp', { server, file });
  }

  asked(): Promise<number | null> {
    return this.#ask('asked', {});
  }
}

export interface LeaseHost extends BridgedHost {
  readonly out: Guest;
  /** A new guest on a bridge. @param addresses its own, with their prefixes */
  readonly join: (bridge: string, addresses?: readonly string[], mac?: string) => Promise<Guest>;
}

export async function createLeaseHost(context: Parameters<typeof createBridgedHost>[0]): Promise<LeaseHost> {
  const bridged = await createBridgedHost(context);
  const { host } = bridged;
  const outside = await createNamespace();
  host.must(`ip link add up0 type veth peer name eth0 netns ${outside.pid}`);
  for (const line of ['address add 192.0.2.1/24 dev up0', 'address add fd92::1/64 dev up0 nodad', 'link set up0 up'])
    host.must(`ip ${line}`);
  const resolvers = path.join(host.namespace.dir, 'resolv.conf');
  writeFileSync(resolvers, 'nameserver 192.0.2.2\n');
  host.must(`mount --bind ${resolvers} /etc/resolv.conf`);
  const out = await wired(outside, ['192.0.2.2/24', 'fd92::2/64'], 'names');
  let made = 0;
  return {
    ...bridged,
    out,
    join: async (bridge, addresses = [], mac = '52:54:00:00:00:99') => {
      made += 1;
      const namespace = await createNamespace();
      host.must(`ip link add g${made} type veth peer name eth0 address ${mac} netns ${namespace.pid}`);
      host.must(`ip link set g${made} master ${bridge} up`);
      return await wired(namespace, addresses);
    },
  };
}

async function wired(namespace: Namespace, addresses: readonly string[], ...words: string[]): Promise<Guest> {
  for (const line of [
    'sysctl -qw net.ipv6.conf.eth0.accept_dad=0',
    'ip link set eth0 up',
    // who has no address yet asks all
    'ip route add 255.255.255.255 dev eth0',
    ...addresses.map((one) => `ip address add ${one} dev eth0${one.includes(':') ? ' nodad' : ''}`),
  ])
    expect(namespace.run(line.split(' '))).toMatchObject({ status: 0, stderr: '' });
  return await Guest.create(namespace, ...words);
}
