/**
 * The profile that `qrun new` writes: what was asked for, and beside it, as comments, what else there is. Values are quoted so that YAML gives
 * back exactly what came in; whether they make sense is for the parser to say.
 */
export interface NewProfileOptions {
  readonly description?: string;
  readonly memory?: string;
  readonly cpus?: string;
  readonly disk?: string;
  readonly size?: string;
  readonly cdrom?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  /** Short forms: `user`, `bridge:br0`, … None: one NIC of kind user. */
  readonly nic?: readonly string[];
  /** Where the JSON Schema lies, for the editor; left out when it holds what a comment cannot. */
  readonly schema?: string;
}

/** Text of a profile, with a newline at its end. */
export function renderNewProfile(options: NewProfileOptions): string {
  const { description, cpus, memory } = options;
  const lines = [
    ...schemaLine(options.schema),
    '# A profile of qrun. All keys: man qrun. Paths are relative to this file.',
    ...stated('description', description, 'description: what this machine is'),
    `cpus: ${cpus === undefined ? '1' : numberOr(cpus)}`,
    `memory: ${memory === undefined ? '512M' : numberOr(memory)}`,
    '# accel: auto          # auto | kvm | tcg',
    '# firmware: bios       # bios | uefi',
    '',
    ...bootLines(options),
    ...diskLines(options),
    ...stated('cdrom', options.cdrom, 'cdrom: debian.iso'),
    '# boot: [disk, cdrom, network]',
    '',
    '# An empty list means no network at all. A MAC is allocated at the first run and kept.',
    'nics:',
    ...(options.nic === undefined || options.nic.length === 0 ? ['user'] : options.nic).flatMap(nicLines),
    '',
    displayLine(options),
    '# console: stdio       # stdio | none',
    '# ephemeral: false     # true: what the guest writes is thrown away',
    '# shutdown: { timeout: 60 }',
  ];
  return `${lines.join('\n')}\n`;
}

function schemaLine(schema: string | undefined): string[] {
  return schema === undefined || !/^[\w./:~+@ -]+$/.test(schema) ? [] : [`# yaml-language-server: $schema=${schema}`];
}

/** The key with its value, or what could be written there as a comment. */
function stated(key: string, value: string | undefined, sample: string): string[] {
  return [value === undefined ? `# ${sample}` : `${key}: ${quoted(value)}`];
}

/** What boots from a CD is an installer, most often, and those show themselves on a screen alone. */
const displayLine = ({ cdrom, kernel }: NewProfileOptions): string =>
  cdrom === undefined || kernel !== undefined
    ? '# display: none        # none | gtk | sdl | vnc | spice-app'
    : 'display: vnc           # for the installer: a socket of your own, qrun show says where; gtk and sdl are windows';

function bootLines({ kernel, initrd, append }: NewProfileOptions): string[] {
  if (kernel === undefined && initrd === undefined && append === undefined) return [];
  return [
    ...stated('kernel', kernel, 'kernel: vmlinuz'),
    ...stated('initrd', initrd, 'initrd: initrd.gz'),
    ...stated('append', append, 'append: console=ttyS0'),
    '',
  ];
}

function diskLines({ disk, size }: NewProfileOptions): string[] {
  if (disk === undefined) {
    // a size belongs to a disk: the parser says that one is missing, in the words that it has for all profiles
    if (size !== undefined) return ['disks:', `  - size: ${quoted(size)}`];
    return ['# disks:', '#   - file: disk.qcow2', '#     size: 20G         # created if it is missing'];
  }
  return ['disks:', `  - file: ${quoted(disk)}`, ...stated('size', size, 'size: 20G').map((line) => `    ${line}`)];
}

function nicLines(nic: string, index: number): string[] {
  if (nic !== 'user') return [`  - ${quoted(nic)}`];
  return [
    '  - kind: user',
    `    id: net${index}`,
    '    # forwards: ["auto:22", "8080:80"]   # HOSTPORT:GUESTPORT, on this host alone',
  ];
}

/** `--cpus 2` is a number in the file, as a person would write it; everything else is text. */
function numberOr(value: string): string {
  return /^(0|[1-9][0-9]{0,8})$/.test(value) ? value : quoted(value);
}

// words that no version of YAML takes for anything but text
const plain = /^(?:[A-Za-z_]|\.{0,2}\/)[A-Za-z0-9./_+@=-]*( [A-Za-z0-9./_+@=-]+)*$/;
const measure = /^[1-9][0-9]{0,8}[KMGT]$/;
const special = /^(true|false|yes|no|on|off|y|n|null|\.inf|\.nan|\.+|-+.*|.*\.)$/i;

/** A YAML scalar that reads back as the same text, on one line. */
export function quoted(value: string): string {
  if ((plain.test(value) || measure.test(value)) && !special.test(value)) return value;
  return JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
