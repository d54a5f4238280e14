/** Commands of managed networks, as data. Each is called by two words, `net ls`; `networkGroup` is the first of them. */
import type { NoArguments } from './arguments.ts';
import { flag, network, networks, number, value } from './argument-specs.ts';
import { command, type AnyCommand, type CommandGroup } from './command.ts';
import type {
  NetArguments,
  NetAutostartArguments,
  NetDefineArguments,
  NetDownArguments,
  NetEditArguments,
  NetForwardArguments,
  NetMapArguments,
  NetsArguments,
  NetUpArguments,
} from './network-arguments.ts';

export const networkGroup: CommandGroup = {
  name: 'net',
  summary: 'managed networks: LANs of your own, with leases, names, a way out and a way in',
};

const orFile = 'a network by name, or the path of its definition';
const up = { ...network, values: 'up-network' } as const;

export const networkCommands: readonly AnyCommand[] = [
  command<NoArguments>({
    name: 'net ls',
    summary: 'list networks and their state',
    family: 'network',
    document: true,
    arguments: {},
    examples: [{ line: 'net ls', means: 'what is defined, and what is up' }],
    load: () => import('./net-ls.ts'),
  }),
  command<NetDefineArguments>({
    name: 'net define',
    summary: 'check the definition of a network, and keep it',
    family: 'network',
    arguments: {
      file: {
        as: 'positional',
        type: 'string',
        label: 'FILE',
        values: 'file',
        required: true,
        summary: "a definition's file; - is the standard input",
      },
      name: value('NAME', "the network's name, when it is not the file's"),
      force: flag('write over a definition that is there'),
    },
    examples: [{ line: 'net define lab.yaml', means: 'VMs may now be on network:lab' }],
    load: () => import('./net-define.ts'),
  }),
  command<NetArguments>({
    name: 'net show',
    summary: 'show everything that an up would do, and do nothing',
    family: 'network',
    document: true,
    arguments: { network: { ...network, summary: orFile } },
    examples: [{ line: 'net show lab', means: 'addresses, programs, sockets, steps' }],
    load: () => import('./net-show.ts'),
  }),
  command<NetEditArguments>({
    name: 'net edit',
    summary: 'edit a definition with $VISUAL or $EDITOR; a faulty one is not kept',
    family: 'network',
    arguments: {
      network: { ...network, summary: orFile },
      force: flag('keep the file even with faults'),
    },
    examples: [{ line: 'net edit lab', means: 'edit, check, then keep; it counts from the next up on' }],
    load: () => import('./net-edit.ts'),
  }),
  command<NetsArguments>({
    name: 'net rm',
    summary: 'remove definitions, and the addresses that were kept for VMs',
    family: 'network',
    arguments: { networks: { ...networks, summary: 'networks that are not up' } },
    examples: [{ line: 'net rm lab', means: 'forget it' }],
    load: () => import('./net-rm.ts'),
  }),
  command<NetUpArguments>({
    name: 'net up',
    summary: 'bring networks up, or mend them, and keep them up until net down',
    family: 'net-up',
    arguments: {
      networks: { ...networks, summary: orFile },
      nat: value('CIDR', 'one that is not defined: behind NAT, with this address of the host on it'),
      route: value('CIDR', 'the same, forwarded without NAT'),
      open: value('CIDR', 'the same, without any rules'),
      isolated: value('CIDR', 'the same, with no way out'),
      ports: { ...number('N', 'so many ports for ordinary users'), short: 'n' },
      owner: value('USER', 'who may take a port; default: who called sudo, else the group of setup, else root'),
      group: value('GROUP', 'whose members may take a port'),
      dhcp: flag('addresses by DHCP, where that is not the default (route, open)'),
      domain: value('NAME', 'the domain of its guests'),
      forward: {
        as: 'option',
        type: 'strings',
        label: 'RULE',
        summary: '[HOSTADDR:]HOSTPORT:GUEST:GUESTPORT[/tcp|/udp]; may be given several times',
      },
    },
    exclusive: [
      ['nat', 'route', 'open', 'isolated'],
      ['owner', 'group'],
    ],
    examples: [
      { line: 'net up lab', means: 'up, with or without VMs on it' },
      { line: 'net up lan --nat 10.66.0.1/24', means: 'a network without a definition' },
    ],
    load: () => import('./net-up.ts'),
  }),
  command<NetDownArguments>({
    name: 'net down',
    summary: 'take networks down',
    family: 'net-down',
    arguments: {
      networks: { ...networks, values: 'up-network', summary: 'networks that are up' },
      force: flag('also with VMs on it: they are unplugged, and live on'),
    },
    examples: [{ line: 'net down lab', means: 'all of it is given back' }],
    load: () => import('./net-down.ts'),
  }),
  command<NetArguments>({
    name: 'net info',
    summary: 'tell how a network is: processes, VMs on it, forwards, and what is missing',
    family: 'network',
    document: true,
    arguments: { network: { ...network, summary: 'a network' } },
    examples: [{ line: 'net info lab', means: 'who is on it, with which address' }],
    load: () => import('./net-info.ts'),
  }),
  command<NetArguments>({
    name: 'net leases',
    summary: "list the addresses that a network's DHCP has handed out",
    family: 'network',
    document: true,
    arguments: { network: { ...up, summary: 'a network that is up' } },
    examples: [{ line: 'net leases lab', means: 'MAC, address, VM, until when' }],
    load: () => import('./net-leases.ts'),
  }),
  command<NetArguments>({
    name: 'net macs',
    summary: 'list the MAC addresses that a network knows: ports, VMs, fixed hosts',
    family: 'network',
    document: true,
    arguments: { network: { ...network, summary: 'a network, up or not' } },
    examples: [{ line: 'net macs lab', means: 'whose they are, and with which address' }],
    load: () => import('./net-macs.ts'),
  }),
  command<NetAutostartArguments>({
    name: 'net autostart',
    summary: 'have a network come up with the host, by a unit of systemd',
    family: 'network',
    arguments: {
      network: { ...network, summary: 'a network that is defined' },
      off: flag('no more'),
    },
    examples: [
      { line: 'net autostart lab', means: 'up from the next start of the host on' },
      { line: 'net autostart lab --off', means: 'and no more' },
    ],
    load: () => import('./net-autostart.ts'),
  }),
  command<NetForwardArguments>({
    name: 'net forward',
    summary: 'list the port forwards of a network, add some, or take some away, while it is up',
    family: 'network',
    document: true,
    arguments: {
      network: { ...up, summary: 'a network that is up' },
      rules: {
        as: 'positional',
        type: 'strings',
        label: 'RULE',
        values: 'words',
        required: false,
        summary: '[HOSTADDR:]HOSTPORT:GUEST:GUESTPORT[/tcp|/udp], such as 8080:web1:80',
      },
      remove: flag('take them away; a host port alone will do'),
    },
    examples: [
      { line: 'net forward lab 8080:web1:80', means: 'port 8080 of 127.0.0.1 leads to port 80 of web1' },
      { line: 'net forward lab 8080 --remove', means: 'and no more' },
      { line: 'net forward lab auto:10.44.0.9:22', means: 'a free port leads to port 22 of that guest' },
    ],
    load: () => import('./net-forward.ts'),
  }),
  command<NetMapArguments>({
    name: 'net map',
    summary: 'show who is connected to what: VMs, networks, ways out, forwards',
    family: 'network',
    document: true,
    arguments: {
      svg: value('FILE', 'as a picture into this file; - is the standard output', 'file'),
      running: flag('only what runs'),
    },
    exclusive: [['svg', 'json']],
    examples: [
      { line: 'net map', means: 'a tree' },
      { line: 'net map --svg map.svg', means: 'a picture, for a browser' },
    ],
    load: () => import('./net-map.ts'),
  }),
];
