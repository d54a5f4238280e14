/**
 * A host with two networks of guests and two ways out, each party in a namespace of its own:
 *
 *     g1 10.66.0.11, g2 10.66.0.12   on lan0, 10.66.0.1
 *     o1 10.67.0.11                  on lan1, 10.67.0.1
 *     out 192.0.2.2, far 198.51.100.2   beyond up0, 192.0.2.1, and up1, 198.51.100.1
 *
 * and the same in IPv6: fd66::, fd67::, 2001:db8::, 2001:db8:1::. Everybody knows the way to everybody by way of the host: what does not pass is what
 * rules hold up.
 */
import path from 'node:path';
import { expect } from 'vitest';
import { buildRuleset, type RulesetInput } from '../../src/network/bridged/ruleset.ts';
import type { NftStep } from '../../src/plan/step.ts';
import { nft } from '../../src/resources/nft.ts';
import type { StepRecord } from '../../src/journal/journal.ts';
import type { System } from '../../src/system/system.ts';
import { createNamespace, Running, type Namespace } from '../harness/harness.ts';

const agent = path.resolve(import.meta.dirname, 'rules-agent.mjs');
const beats = { pass: 50_000, stop: 400 } as const;

export interface Ask {
  /** `closed`: whether it is told that nobody listens on that port. `heard`: nobody is asked; the names of those whose datagrams came here. */
  readonly how: 'tcp' | 'udp' | 'icmp' | 'closed' | 'heard';
  readonly to: string;
  /** Default: 7000, where everybody answers. */
  readonly port?: number;
  readonly from?: string;
}

export class Party {
  readonly name: string;
  readonly namespace: Namespace;
  readonly #agent: Running;
  #asked = 0;

  private constructor(name: string, namespace: Namespace) {
    this.name = name;
    this.namespace = namespace;
    this.#agent = new Running(namespace.wrap([process.execPath, agent, name]), {
      env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' },
      cwd: '/',
      interactive: true,
      timeoutMs: 600_000,
    });
  }

  /** @param namespace where it is; its own with the party's end. Default: a new one */
  static async create(name: string, namespace?: Namespace): Promise<Party> {
    const party = new Party(name, namespace ?? (await createNamespace({ disposeAtEnd: false })));
    await party.#agent.waitFor(/ready/);
    return party;
  }

  /** @param wanted what is expected to pass has time on a busy machine; what is not is not waited for */
  async ask(asks: readonly Ask[], wanted: 'pass' | 'stop'): Promise<string[]> {
    const lines = asks.map((one) => ({ port: 7000, giveUpMs: beats[wanted], ...one }));
    this.#asked += 1;
    const id = this.#asked;
    this.#agent.type(`${JSON.stringify({ id, asks: lines })}\n`);
    const [, text = ''] = await this.#agent.waitFor(new RegExp(`^answers ${id} (.*)$`, 'm'));
    return JSON.parse(text) as string[];
  }

  must(line: string, input?: string): string {
    const result = this.namespace.run(line.split(' '), input);
    expect({ line, ...result }).toMatchObject({ status: 0 });
    return result.stdout;
  }

  async dispose(): Promise<void> {
    this.#agent.kill('SIGKILL');
    await this.#agent.end;
    await this.namespace.dispose();
  }
}

export const partyNames = ['host', 'g1', 'g2', 'o1', 'out', 'far'] as const;
export type PartyName = (typeof partyNames)[number];

const wires = [
  { end: 'g1', port: 'qr-g1', on: 'qr-lan0', four: '10.66.0.11/24', six: 'fd66::11/64', via: ['10.66.0.1', 'fd66::1'] },
  { end: 'g2', port: 'qr-g2', on: 'qr-lan0', four: '10.66.0.12/24', six: 'fd66::12/64', via: ['10.66.0.1', 'fd66::1'] },
  { end: 'o1', port: 'qr-o1', on: 'qr-lan1', four: '10.67.0.11/24', six: 'fd67::11/64', via: ['10.67.0.1', 'fd67::1'] },
  { end: 'out', port: 'up0', four: '192.0.2.2/24', six: '2001:db8::2/64', via: ['192.0.2.1', '2001:db8::1'] },
  { end: 'far', port: 'up1', four: '198.51.100.2/24', six: '2001:db8:1::2/64', via: ['198.51.100.1', '2001:db8:1::1'] },
] as const;

/** Of its own interface. */
export const macOf = (name: PartyName): string => `52:54:00:00:00:0${partyNames.indexOf(name)}`;

const ofHost = {
  'qr-lan0': ['10.66.0.1/24', 'fd66::1/64'],
  'qr-lan1': ['10.67.0.1/24', 'fd67::1/64'],
  up0: ['192.0.2.1/24', '2001:db8::1/64'],
  up1: ['198.51.100.1/24', '2001:db8:1::1/64'],
} as const;

export class RulesHost {
  readonly parties: Readonly<Record<PartyName, Party>>;
  readonly #taken: { readonly step: NftStep; record: StepRecord | undefined }[] = [];

  constructor(parties: Readonly<Record<PartyName, Party>>) {
    this.parties = parties;
  }

  /** What runs in the host's namespace, for resources. */
  get system(): System {
    const { namespace } = this.parties.host;
    const run: System['runNow'] = (tool, args, options) => namespace.run([tool, ...args], options?.stdin);
    return {
      env: {},
      uid: 0,
      gid: 0,
      bootId: () => 'boot',
      which: (tool) => `/usr/sbin/${tool}`,
      run: async (tool, args, options) => run(tool, args, options),
      runNow: run,
    };
  }

  async take(input: RulesetInput): Promise<NftStep> {
    const step: NftStep = { kind: 'nft', id: 'rules', needsRoot: true, ...buildRuleset(input) };
    const taken = { step, record: undefined as StepRecord | undefined };
    this.#taken.push(taken);
    const context = { system: this.system, runId: 'r', descriptors: new Map<number, number>(), warn: () => {} };
    await nft.acquire(step, { ...context, record: (record) => (taken.record = record) });
    return step;
  }

  /** All of them, the last one first. */
  async release(): Promise<void> {
    const context = { system: this.system, runId: 'r', started: true, sameBoot: true };
    for (const { step, record } of this.#taken.splice(0).toReversed()) await nft.release(step, record, context);
  }

  ruleset(): string {
    return this.parties.host.must('nft -j list ruleset');
  }

  async dispose(): Promise<void> {
    await Promise.all(Object.values(this.parties).map((party) => party.dispose()));
  }
}

/** Root's; not disposed of by itself. */
export async function createRulesHost(): Promise<RulesHost> {
  const made = await Promise.all(partyNames.map(async (name) => [name, await Party.create(name)] as const));
  const host = new RulesHost(Object.fromEntries(made) as Record<PartyName, Party>);
  try {
    wire(host);
    return host;
  } catch (error) {
    await host.dispose();
    throw error;
  }
}

function wire({ parties }: RulesHost): void {
  const { host } = parties;
  const batch = (party: Party, lines: readonly string[]) => party.must('ip -batch -', `${lines.join('\n')}\n`);
  batch(host, [
    'link add qr-lan0 address 02:00:00:66:00:01 type bridge stp_state 0 forward_delay 0',
    'link add qr-lan1 address 02:00:00:67:00:01 type bridge stp_state 0 forward_delay 0',
    ...wires.flatMap(({ end, port, ...wire }) => [
      `link add ${port} type veth peer name eth0 address ${macOf(end)} netns ${parties[end].namespace.pid}`,
      `link set ${port} ${'on' in wire ? `master ${wire.on} ` : ''}up`,
    ]),
    ...Object.entries(ofHost).flatMap(([name, [four, six]]) => [
      `address add ${four} dev ${name}`,
      `address add ${six} dev ${name} nodad`,
      `link set ${name} up`,
    ]),
  ]);
  host.must('sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.qr-lan0.route_localnet=1');
  for (const { end, four, six, via } of wires) {
    batch(parties[end], [
      'link set eth0 up',
      `address add ${four} dev eth0`,
      `address add ${six} dev eth0 nodad`,
      `route add default via ${via[0]}`,
      `route add ::/0 via ${via[1]}`,
    ]);
  }
}
