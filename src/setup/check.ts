/** What keeps setup from being done as it was asked for, told before anything is done. Pure. */
import { QrunError } from '../errors.ts';
import { faultOfIfName } from '../names.ts';
import { parseAddressOfWay } from '../profile/address-of-way.ts';
import { shellWord } from '../shell-word.ts';
import { parseInterfaceAddress, parseSubnet, renderAddress, subnetsOverlap, type Address } from '../subnet.ts';
import { faultOfAccount, faultOfConf, faultOfGroup } from './check-access.ts';
import type { SetupFacts, SetupOptions, UplinkFact } from './facts.ts';
import { faultOfCard } from './host-access-items.ts';
import { faultOfOurs } from './items/bridge.ts';

/** In the order in which a person would mend them. */
export function faultsOfOptions(options: SetupOptions, facts: SetupFacts): QrunError[] {
  return [
    ...faultsOfWords(options),
    faultOfGroup(options, facts),
    faultOfAccount(facts),
    faultOfTools(options, facts),
    ...(options.bridge === undefined
      ? []
      : [faultOfBridge(options.bridge, facts), faultOfHelper(facts), faultOfConf(options.bridge, options, facts)]),
    faultOfUplink(options, facts),
    faultOfCard(options, facts),
    faultOfAddress(options, facts),
  ].filter((fault) => fault !== undefined);
}

/** Faults that show without a look at the host: names get into files of others, where only plain ones mean themselves. */
function faultsOfWords({ bridge, uplink, address, group, hostAccess }: SetupOptions): QrunError[] {
  const usage = (message: string, hint?: string): QrunError =>
    new QrunError('usage', message, hint === undefined ? {} : { hint });
  const faults: QrunError[] = [];
  for (const [flag, name] of [
    ['--bridge', bridge],
    ['--uplink', uplink],
    ['--host-access', hostAccess],
  ] as const) {
    const fault = name === undefined ? undefined : faultOfLinkName(name);
    if (fault !== undefined) faults.push(usage(`${flag} ${JSON.stringify(name)}: ${fault}`));
  }
  if (bridge === undefined && uplink !== undefined)
    faults.push(usage('--uplink is for a bridge', `qrun setup --bridge br0 --uplink ${uplink}`));
  if (bridge !== undefined && hostAccess !== undefined)
    faults.push(
      usage(
        '--host-access is for a card without a bridge: --address would be of both',
        `qrun setup --host-access ${hostAccess}`,
      ),
    );
  if (bridge === undefined && hostAccess === undefined && address !== undefined)
    faults.push(usage("--address is the host's on a bridge or a card", `qrun setup --bridge br0 --address ${address}`));
  if (bridge !== undefined && bridge === uplink) faults.push(usage(`${bridge} cannot be a port of itself`));
  if (address !== undefined)
    faults.push(...faultsOfCidr(address, hostAccess).map((fault) => usage(`--address ${address}: ${fault}`)));
  if (group !== undefined && !/^[a-z_][a-z0-9_-]{0,30}$/.test(group))
    faults.push(
      usage(`--group ${JSON.stringify(group)}: a group is 1 to 31 of a-z, 0-9, "_", "-", and begins with a letter`),
    );
  return faults;
}

function faultOfLinkName(name: string): string | undefined {
  const fault = faultOfIfName(name);
  if (fault !== undefined) return fault;
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name))
    return 'setup takes names of letters, digits, "_", "." and "-" that begin with a letter or digit';
  if (name === 'lo' || name === 'all' || name === 'default') return `${name} means something else to the kernel`;
  return name.startsWith('qr-') ? 'names with qr- are for what qrun makes at run time' : undefined;
}

function faultsOfCidr(text: string, hostAccess: string | undefined): string[] {
  if (hostAccess !== undefined) {
    const ofWay = parseAddressOfWay(text);
    return 'fault' in ofWay ? [ofWay.fault] : [];
  }
  const parsed = parseInterfaceAddress(text);
  if (parsed === undefined) return ['an address of the host with its length, such as 10.0.5.1/24'];
  const { address, subnet } = parsed;
  const nobodys = faultOfAddressClass(address);
  if (nobodys !== undefined) return [nobodys];
  const widest = subnet.family === 4 ? 30 : 126;
  if (subnet.prefix > widest) return [`there is no room for guests; at most /${widest}`];
  if (subnet.prefix === 0) return ['that is the whole of the Internet'];
  if (address.value === subnet.first) return [`that is the network; the host may be ${subnet.at(1)}/${subnet.prefix}`];
  if (subnet.family === 4 && address.value === subnet.last) return ['that is the broadcast address'];
  return [];
}

/** What no host may have, or has by itself. https://www.iana.org/assignments/iana-ipv4-special-registry, iana-ipv6-special-registry */
const classes: readonly (readonly [string, string])[] = [
  ['0.0.0.0/8', "means this network, and is nobody's address"],
  ['127.0.0.0/8', 'is the loopback'],
  ['169.254.0.0/16', 'is for what hosts give themselves when nobody gives them an address'],
  ['224.0.0.0/4', "is multicast, and nobody's address"],
  ['240.0.0.0/4', "is reserved, and nobody's address"],
  ['::/96', "is the loopback, or nobody's address"],
  ['::ffff:0:0/96', 'is an IPv4 address in the dress of IPv6'],
  ['fe80::/10', 'is for what each interface gives itself; fd00::/8 is free for such networks'],
  ['ff00::/8', "is multicast, and nobody's address"],
];

function faultOfAddressClass(address: Address): string | undefined {
  const text = renderAddress(address);
  const found = classes.find(([cidr]) => parseSubnet(cidr)?.contains(text));
  return found === undefined ? undefined : `${found[0]} ${found[1]}`;
}

function faultOfTools(
  { bridge, group, hostAccess }: SetupOptions,
  { missingTools, helper }: SetupFacts,
): QrunError | undefined {
  const packages: Readonly<Record<string, string>> = {
    setcap: 'libcap2-bin',
    getcap: 'libcap2-bin',
    ip: 'iproute2',
    sysctl: 'procps',
  };
  const needed = [
    ...(hostAccess === undefined ? [] : ['ip']),
    ...(bridge === undefined ? [] : ['ip', ...(helper.rights === 'setuid' ? [] : ['setcap', 'getcap'])]),
    ...(group === undefined ? [] : ['groupadd', 'usermod', 'gpasswd']),
    ...['useradd', 'sysctl'],
  ];
  const missing = needed.find((tool) => missingTools.includes(tool));
  if (missing === undefined) return undefined;
  const name = packages[missing] ?? 'passwd';
  const fedora = name === 'libcap2-bin' ? 'libcap' : name;
  return new QrunError('missing-tool', `${missing} was not found on PATH`, {
    hint: `sudo apt-get install ${name}   # Fedora: dnf install ${fedora}`,
  });
}

function faultOfBridge(name: string, { bridge, recorded }: SetupFacts): QrunError | undefined {
  if (bridge === undefined) return undefined;
  const maker = recorded.find(({ item }) => item.kind === 'bridge' && item.name === name);
  const taken = maker?.item.kind === 'bridge' ? faultOfOurs(maker.item, bridge, maker.state) : undefined;
  if (taken !== undefined)
    return new QrunError('in-use', taken, {
      hint: 'sudo qrun setup --undo, which leaves it alone, and the same again',
    });
  if (bridge.kind === 'bridge') return undefined;
  return new QrunError(
    'in-use',
    `${name} is an interface already, and no bridge${bridge.kind === undefined ? '' : ` (${bridge.kind})`}`,
    {
      hint: `sudo qrun setup --bridge br0 --uplink ${name}, if it is to be a port of a bridge`,
    },
  );
}

function faultOfHelper({ helper }: SetupFacts): QrunError | undefined {
  if (!helper.found)
    return new QrunError('missing-tool', `there is no bridge helper ${helper.file}`, {
      hint: 'sudo apt-get install qemu-system-common   # Fedora: dnf install qemu-common',
    });
  if (helper.rights === 'mixed')
    return new QrunError(
      'host-failed',
      `${helper.file} is setuid and has capabilities as well, and with both it fails`,
      {
        hint: `sudo chmod u-s ${shellWord(helper.file)}`,
      },
    );
  if (helper.rights !== 'nosuid') return undefined;
  return new QrunError(
    'missing-feature',
    `${helper.file} is on a file system that is mounted nosuid: it gains no rights there`,
    {
      hint: `findmnt --target ${shellWord(helper.file)}`,
    },
  );
}

function faultOfUplink(options: SetupOptions, facts: SetupFacts): QrunError | undefined {
  const { bridge, uplink } = options;
  const fact = facts.uplink;
  if (uplink === undefined || bridge === undefined || fact === undefined) return undefined;
  const { link, wifi } = fact;
  if (link === undefined)
    return new QrunError('host-failed', `there is no interface ${uplink}`, { hint: 'ip -brief link' });
  if (link.master === bridge) return undefined;
  if (link.master !== undefined)
    return new QrunError('in-use', `${uplink} is a port of ${link.master} already`, {
      hint: `sudo qrun setup --bridge ${link.master}`,
    });
  if (wifi)
    return new QrunError(
      'missing-feature',
      `${uplink} is a Wi-Fi card: an access point takes frames of its own station's MAC alone, so a bridge over it reaches nobody`,
      {
        hint: 'kind: user, or a managed network with forward: nat',
      },
    );
  if (link.kind === 'bridge')
    return new QrunError('usage', `${uplink} is a bridge itself`, { hint: `sudo qrun setup --bridge ${uplink}` });
  const left = faultOfLeft(uplink, fact);
  const cut = riskOfUplink(options, facts);
  if (left !== undefined || cut === undefined || options.yes) return left;
  return new QrunError('usage', cut, { hint: 'the same with --yes, best from a console of its own' });
}

/** What is done with --yes alone, and why. */
export function riskOfUplink({ bridge, uplink }: SetupOptions, facts: SetupFacts): string | undefined {
  const fact = facts.uplink;
  if (fact?.onlyWayOut !== true || fact.link?.master === bridge) return undefined;
  return `${uplink} is this host's only way out: while it moves to ${bridge} the host is cut off, and if something goes wrong it stays so`;
}

/** What would be lost on the way, or keeps the card from being a port. */
function faultOfLeft(name: string, { riders, unknownRoutes }: UplinkFact): QrunError | undefined {
  const [rider] = riders;
  if (rider !== undefined)
    return new QrunError(
      'in-use',
      `${name} carries ${riders.join(', ')}, and no card does that and is a port as well`,
      {
        hint: `ip -details link show dev ${rider.split(' ')[0]}; end what uses it first`,
      },
    );
  const [route] = unknownRoutes;
  if (route === undefined) return undefined;
  return new QrunError('host-failed', `${name} has a route that setup cannot make again on a bridge: ${route}`, {
    hint: `sudo ip ${route.includes(':') ? '-6 ' : ''}route delete ${keyOf(route)}`,
  });
}

/** By what a route is known. */
function keyOf(route: string): string {
  const words = route.split(' ');
  const keys = ['table', 'metric', 'tos'].flatMap((key) =>
    words.includes(key) ? [key, words[words.indexOf(key) + 1] ?? ''] : [],
  );
  return [words[0], ...keys].join(' ');
}

/** ABUSE: a subnet that the host reaches elsewhere would be cut off, or cut the guests off. */
function faultOfAddress({ address, bridge, uplink }: SetupOptions, { routes }: SetupFacts): QrunError | undefined {
  const wanted = address === undefined ? undefined : parseInterfaceAddress(address)?.subnet;
  if (wanted === undefined || bridge === undefined) return undefined;
  const clash = routes.find(({ cidr, interface: name }) => {
    const other = name === bridge || name === uplink ? undefined : parseSubnet(cidr);
    return other !== undefined && subnetsOverlap(wanted, other);
  });
  if (clash === undefined) return undefined;
  return new QrunError(
    'in-use',
    `--address ${address}: this host reaches ${clash.cidr} by ${clash.interface} already`,
    {
      hint: `choose a network that does not overlap, such as ${freeNetwork(routes.map(({ cidr }) => cidr))}`,
    },
  );
}

function freeNetwork(taken: readonly string[]): string {
  const others = taken.flatMap((cidr) => parseSubnet(cidr) ?? []);
  for (let third = 5; third < 255; third++) {
    const subnet = parseSubnet(`10.0.${third}.0/24`);
    if (subnet !== undefined && !others.some((one) => subnetsOverlap(one, subnet)))
      return `${renderAddress({ family: 4, value: subnet.first + 1n })}/24`;
  }
  return '192.168.200.1/24';
}
