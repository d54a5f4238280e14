/**
 * A profile's `args` are QEMU's own language, and reach QEMU as they are: refused is what qrun itself has told QEMU, what would undo its work, and
 * what opens the VM to the network.
 */
import { machineFamily, pciSlots } from './argv/machine-family.ts';
import { parseArgs, parseMembers, type QemuOption } from './args-syntax.ts';

export interface ArgsFault {
  /** Which argument of the list. */
  readonly index: number;
  readonly message: string;
}

export interface ArgsContext {
  /** For the message: ids that are taken are those of these NICs. */
  readonly nicIds: readonly string[];
  readonly machine: string;
}

/** Empty: QEMU may have them. */
export function validateArgs(args: readonly string[], context: ArgsContext): ArgsFault[] {
  const broken = args.findIndex((argument) => argument.includes('\0'));
  if (broken !== -1) return [{ index: broken, message: 'no argument of a program can hold a NUL character' }];
  return parseArgs(args).flatMap((option): ArgsFault[] => {
    if ('stray' in option) {
      const message = `${JSON.stringify(option.stray)} is no option: QEMU would take it for a disk image; use disks:`;
      return [{ index: option.index, message }];
    }
    const message = faultOf(option, context);
    return message === undefined ? [] : [{ index: option.index, message }];
  });
}

/** `-S`: the VM is to start paused. */
export function startsPaused(args: readonly string[]): boolean {
  return parseArgs(args).some((option) => 'name' in option && option.name === 'S');
}

function faultOf(option: QemuOption, context: ArgsContext): string | undefined {
  const { name, value } = option;
  const instead = managed.get(name);
  if (instead !== undefined) return `-${name} clashes with what qrun manages: ${instead}`;
  const check = checks.get(name);
  if (check === undefined) return undefined;
  if (value === undefined) return `-${name} lacks its value`;
  const fault = check(value, context);
  return fault === undefined ? undefined : `-${name} ${value.slice(0, 80)}: ${fault}`;
}

const useDisks = 'use disks:';
const useNics = 'use nics:';
const monitors = 'see qrun monitor';
const binds = 'it would listen on every address';

/** Options that are qrun's whatever their value, and what to write instead. */
const managed: ReadonlyMap<string, string> = new Map([
  ['netdev', useNics],
  ['nic', useNics],
  ['net', useNics],
  ['qmp', monitors],
  ['qmp-pretty', monitors],
  ['mon', monitors],
  ['monitor', monitors],
  ['pidfile', 'see qrun ps'],
  ['daemonize', 'use qrun run -d'],
  ['name', 'use qrun run --name'],
  ['nodefaults', 'it is always there'],
  ['no-user-config', 'it is always there'],
  ['nouserconfig', 'it is always there'],
  ['sandbox', 'it is as strict as the NICs allow'],
  ['runas', 'use runAs:'],
  ['chroot', 'use runAs:'],
  ['serial', 'use console:'],
  ['nographic', 'use display: none'],
  ['add-fd', 'qrun hands on the descriptors'],
  ['snapshot', 'use ephemeral: true'],
  ['m', 'use memory:'],
  ['smp', 'use cpus:'],
  ['accel', 'use accel:'],
  ['enable-kvm', 'use accel: kvm'],
  ['cpu', 'use cpu:'],
  ['kernel', 'use kernel:'],
  ['initrd', 'use initrd:'],
  ['append', 'use append:'],
  ['bios', 'use firmware:'],
  ['pflash', 'use firmware:'],
  ['display', 'use display:'],
  ['sdl', 'use display:'],
  ['curses', 'use display:'],
  ['full-screen', 'use display:'],
  ['vga', 'use display:'],
  ['drive', useDisks],
  ['hda', useDisks],
  ['hdb', useDisks],
  ['hdc', useDisks],
  ['hdd', useDisks],
  ['sd', useDisks],
  ['mtdblock', useDisks],
  ['cdrom', 'use cdrom:'],
  ['s', `it lets everybody debug the guest, since ${binds}; use -gdb tcp:127.0.0.1:1234`],
  ['readconfig', 'qrun cannot see what the file tells QEMU'],
  ['writeconfig', 'qrun does not let QEMU write files by itself'],
  ['preconfig', 'QEMU would wait for commands before its start is over'],
  ['iscsi', useDisks],
  ['shim', 'use kernel:'],
  ['h', 'run the QEMU binary itself for that'],
  ['help', 'run the QEMU binary itself for that'],
  ['version', 'run the QEMU binary itself for that'],
]);

type Check = (value: string, context: ArgsContext) => string | undefined;

/** Options that are fine in most forms. */
const checks: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['device', checkDevice],
  ['chardev', checkChardev],
  ['blockdev', checkBlockdev],
  ['machine', checkMachine],
  ['M', checkMachine],
  ['boot', checkBoot],
  ['vnc', checkVnc],
  ['spice', checkSpice],
  ['gdb', checkEndpoint],
  ['parallel', checkEndpoint],
  ['debugcon', checkEndpoint],
  ['incoming', checkIncoming],
  ['run-with', checkRunWith],
  ['fda', checkPlainFile],
  ['fdb', checkPlainFile],
  ['set', checkSet],
]);

const ownChardevs = ['events', 'qmp', 'console'];
const ownDevices = /^(?:disk\d+|cdrom0|scsi0|vga0|usb0|tablet0|keyboard0|serial0)$/;

function checkDevice(value: string, { nicIds, machine }: ArgsContext): string | undefined {
  const members = parseMembers(value);
  const id = members.get('id') ?? '';
  if (ownDevices.test(id) || id.startsWith('nic-')) return `the id ${id} is qrun's`;
  const netdev = members.get('netdev');
  if (netdev !== undefined) {
    return nicIds.includes(netdev)
      ? `the back end ${netdev} is that of a NIC of the profile`
      : `there is no back end ${netdev}: use nics:`;
  }
  for (const key of ['chardev', 'drive']) {
    const target = members.get(key) ?? '';
    if (ownChardevs.includes(target) || isOwnNode(target)) return `${key} ${target} is qrun's`;
  }
  return checkSlot(members, machine);
}

/** Two devices at one address end the start; a NIC that comes later would find its place taken. */
function checkSlot(members: ReadonlyMap<string, string>, machine: string): string | undefined {
  const address = members.get('addr');
  const bus = members.get('bus');
  const family = machineFamily(machine);
  if (address === undefined || family === 'other' || family === 'microvm') return undefined;
  if (bus !== undefined && !/^pci(?:e)?\.0$/.test(bus)) return undefined;
  const slot = Number.parseInt(address, /^0x/i.test(address) ? 16 : 10);
  const { first, count } = pciSlots.nics;
  return slot >= first && slot < first + count ? `the PCI slots 0x10 to 0x1e are for NICs` : undefined;
}

function checkChardev(value: string): string | undefined {
  const members = parseMembers(value);
  const id = members.get('id') ?? '';
  if (ownChardevs.includes(id)) return `the id ${id} is qrun's`;
  const backend = members.get('backend') ?? members.get('') ?? '';
  if (backend === 'stdio') return "QEMU's standard streams are its event journal";
  if (
    backend === 'socket' &&
    !members.has('path') &&
    !members.has('fd') &&
    listens(members) &&
    !isLocal(members.get('host') ?? '')
  ) {
    return `${binds}; give host=127.0.0.1`;
  }
  if (backend === 'udp' && members.has('localport') && !isLocal(members.get('localaddr') ?? '')) {
    return `${binds}; give localaddr=127.0.0.1`;
  }
  return undefined;
}

function listens(members: ReadonlyMap<string, string>): boolean {
  const server = members.get('server');
  return server !== undefined && !['off', 'no', 'false', 'n'].includes(server);
}

/** Files of the host's, opened as what they are said to be. Whatever speaks a protocol goes around the checks of disks. */
function checkBlockdev(value: string): string | undefined {
  const members = parseMembers(value);
  const name = members.get('node-name') ?? '';
  if (isOwnNode(name)) return `the node ${name} is qrun's`;
  const drivers = [...members].flatMap(([key, member]) => (/(?:^|\.)driver$/.test(key) || key === '' ? [member] : []));
  const foreign = drivers.find((driver) => !localDrivers.has(driver));
  if (foreign !== undefined) return `the driver ${JSON.stringify(foreign)} is none for files of this host; ${useDisks}`;
  const file = [...members].find(
    ([key, member]) => /(?:^|\.)(?:filename|file|backing)$/.test(key) && isProtocol(member),
  );
  return file === undefined ? undefined : `${JSON.stringify(file[1])} is no file name; ${useDisks}`;
}

const localDrivers = new Set([
  'file',
  'raw',
  'qcow2',
  'vmdk',
  'vdi',
  'vhdx',
  'null-co',
  'null-aio',
  'host_device',
  'host_cdrom',
  'copy-on-read',
  'throttle',
  'luks',
]);

function isOwnNode(name: string): boolean {
  return /^(?:disk\d+|cdrom0)-image(?:-base)*(?:-file)?$|^uefi-(?:code|vars)/.test(name);
}

function isProtocol(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(text);
}

/** `tcp:HOST:PORT`, `unix:PATH`, `file:`, `pty`, `null`, …: what binds must bind to this host alone. */
function checkEndpoint(value: string): string | undefined {
  if (/^chardev:(?:events|qmp|console)$/.test(value)) return `${value} is qrun's`;
  if (/^(?:stdio|mon:stdio)/.test(value)) return "QEMU's standard streams are its event journal";
  if (/^(?:mon:)?udp:/.test(value)) return `${binds}; use unix:`;
  const network = /^(?:mon:)?(?:tcp|telnet|websocket|tn3270):(.*)$/.exec(value);
  return network === null || isLocal(hostOf(network[1] ?? '')) ? undefined : `${binds}; use 127.0.0.1 or unix:`;
}

/** The part of `HOST:PORT` before the port; an IPv6 address stands in brackets. */
function hostOf(address: string): string {
  return /^(\[[^\]]*\]|[^:,@]*)/.exec(address)?.[1] ?? '';
}

function checkVnc(value: string): string | undefined {
  if (/^(?:none$|unix:)/.test(value) || isLocal(hostOf(value))) return undefined;
  return `${binds}, without a password; use display: vnc`;
}

function checkSpice(value: string): string | undefined {
  const members = parseMembers(value);
  if (members.get('unix') === 'on' || isLocal(members.get('addr') ?? '')) return undefined;
  return `${binds}; use display: spice-app, or give addr=127.0.0.1`;
}

/** Further properties of the machine are fine; its type and what has a key of its own in the profile are not. */
function checkMachine(value: string): string | undefined {
  const taken = [...parseMembers(value).keys()].find((key) =>
    /^(?:|type|accel|kernel|initrd|append|dtb|shim|firmware|graphics|pflash\d|(?:smp|memory|boot)(?:\..*)?)$/.test(key),
  );
  if (taken === undefined) return undefined;
  return taken === '' || taken === 'type' ? 'use machine:' : `${taken} is told by other keys of the profile`;
}

function checkBoot(value: string): string | undefined {
  const keys = [...parseMembers(value).keys()];
  return keys.some((key) => ['', 'order', 'once'].includes(key)) ? 'use boot:' : undefined;
}

function checkIncoming(value: string): string | undefined {
  if (value.startsWith('exec:')) return 'qrun does not let QEMU start a program';
  if (/^(?:unix:|fd:|file:|defer$)/.test(value)) return undefined;
  const address = /^(?:tcp|rdma):(.*)$/.exec(value)?.[1];
  if (address !== undefined && isLocal(hostOf(address))) return undefined;
  return `${binds}; use tcp:127.0.0.1:PORT or unix:`;
}

function checkRunWith(value: string): string | undefined {
  const members = parseMembers(value);
  if (members.has('user')) return 'clashes with what qrun manages: use runAs:';
  return members.has('chroot') ? 'clashes with what qrun manages: use runAs:' : undefined;
}

function checkPlainFile(value: string): string | undefined {
  return isProtocol(value) ? `${JSON.stringify(value)} is no file name` : undefined;
}

function checkSet(value: string): string | undefined {
  const [group = ''] = value.split('.');
  return ['netdev', 'chardev', 'mon', 'drive', 'sandbox', 'machine', 'name'].includes(group)
    ? `it changes what qrun tells QEMU (${group})`
    : undefined;
}

function isLocal(host: string): boolean {
  return /^(?:127(?:\.\d{1,3}){3}|localhost|::1|\[::1\])$/.test(host);
}
