/** Several hosts on one wire, each with its own root and its own ordinary user, for networks that span them. */
import { createNamespace, type Namespace } from '../harness/harness.ts';
import { LinkHost } from './a-link-host.ts';
import { createPortHost, type PortHost } from './a-port-host.ts';

export interface JoinedHost extends PortHost {
  /** On the wire. */
  readonly address: string;
  readonly network: (text: string) => void;
}

/** Each has `w0` on the wire besides what every such host has: 10.1.0.1, 10.1.0.2, … and fd00:1::1, … */
export async function createJoinedHosts(
  context: Parameters<typeof createPortHost>[0],
  { count }: { readonly count: number },
): Promise<JoinedHost[]> {
  const wire = new LinkHost(await createNamespace());
  wire.must('ip link add wire type bridge forward_delay 0');
  wire.must('ip link set wire up');
  const hosts: JoinedHost[] = [];
  for (let number = 1; number <= count; number += 1) {
    const ports = await createPortHost(context);
    const { host, root } = ports;
    wire.must(`ip link add w${number} type veth peer name w0 netns ${host.namespace.pid}`);
    wire.must(`ip link set w${number} master wire up`);
    const address = `10.1.0.${number}`;
    host.must(`ip address add ${address}/24 dev w0`);
    host.must(`ip address add fd00:1::${number}/64 dev w0 nodad`);
    host.must('ip link set w0 up');
    hosts.push({ ...ports, address, network: (text) => void root.network('lan0', text) });
  }
  return hosts;
}

/** A machine of its own in place of a guest: `g0`, a port of the bridge at the other end. */
export class CableGuest {
  readonly #namespace: Namespace;
  readonly address: string;

  private constructor(namespace: Namespace, address: string) {
    this.#namespace = namespace;
    this.address = address;
  }

  static async on(host: LinkHost, bridge: string, options: { address: string; mtu: number }): Promise<CableGuest> {
    const { address, mtu } = options;
    const namespace = await createNamespace();
    const guest = new LinkHost(namespace);
    host.must(`ip link add cable type veth peer name g0 netns ${namespace.pid}`);
    // a tap that a guest is on has the network's MTU
    host.must(`ip link set cable mtu ${mtu} master ${bridge} up`);
    for (const line of [`link set g0 mtu ${mtu} up`, `address add ${address}/24 brd + dev g0`])
      guest.must(`ip ${line}`);
    guest.must('sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0');
    return new CableGuest(namespace, address);
  }

  ping(...args: readonly string[]): { readonly ok: boolean; readonly text: string } {
    const { status, stdout, stderr } = this.#namespace.run(['ping', ...args]);
    return { ok: status === 0, text: stdout + stderr };
  }

  /** With nothing cut in pieces on the way: `bytes` is the whole packet. */
  reaches(address: string, bytes: number): boolean {
    return this.ping('-c', '2', '-i', '0.2', '-W', '10', '-M', 'do', '-s', `${bytes - 28}`, address).ok;
  }
}

export const unplug = (host: LinkHost): string => host.must('ip link delete dev cable');
