/** How QEMU reads its command line: one or two dashes, the value in the next argument, anything else is a disk. Pure. */
export interface QemuOption {
  /** Without dashes. */
  readonly name: string;
  readonly value?: string;
  /** Where in the list the option stands. */
  readonly index: number;
}

/** Options that take no value (QEMU 6.2 to 10.x); all others take the next argument, whatever it looks like. */
const flags = new Set([
  'h',
  'help',
  'version',
  'mem-prealloc',
  'audio-help',
  'snapshot',
  'usb',
  'nographic',
  'portrait',
  'full-screen',
  'win2k-hack',
  'no-fd-bootchk',
  'no-acpi',
  'no-hpet',
  'singlestep',
  'one-insn-per-tb',
  'preconfig',
  'S',
  's',
  'enable-kvm',
  'xen-attach',
  'xen-domid-restrict',
  'no-reboot',
  'no-shutdown',
  'daemonize',
  'only-migratable',
  'nodefaults',
  'no-user-config',
  'nouserconfig',
  'async-teardown',
  'enable-sync-profile',
  'semihosting',
  'old-param',
  'perfmap',
  'jitdump',
]);

/** A list item is an option, or a string that QEMU would take for a disk image. */
export function parseArgs(
  args: readonly string[],
): (QemuOption | { readonly stray: string; readonly index: number })[] {
  const found: (QemuOption | { readonly stray: string; readonly index: number })[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? '';
    if (!argument.startsWith('-')) {
      found.push({ stray: argument, index });
      continue;
    }
    const name = argument.slice(argument.startsWith('--') ? 2 : 1);
    const value = flags.has(name) ? undefined : args[index + 1];
    found.push({ name, index, ...(value !== undefined && { value }) });
    if (value !== undefined) index += 1;
  }
  return found;
}

/**
 * The members of an option's value, JSON or `key=value,…` with doubled commas; the first part without `=` is under the key `''`.
 * Nested members of JSON have dotted names, as they have in the other syntax.
 */
export function parseMembers(value: string): ReadonlyMap<string, string> {
  const trimmed = value.trim();
  return trimmed.startsWith('{') ? jsonMembers(trimmed) : keyvalMembers(value);
}

function keyvalMembers(value: string): Map<string, string> {
  const members = new Map<string, string>();
  // a doubled comma is a comma: it is hidden while the others part the members
  const parts = value.replaceAll(',,', '\u0000').split(',');
  parts.forEach((part, position) => {
    const text = part.replaceAll('\u0000', ',');
    const at = text.indexOf('=');
    if (at !== -1) members.set(text.slice(0, at), text.slice(at + 1));
    else if (position === 0) members.set('', text);
    else members.set(text, 'on');
  });
  return members;
}

function jsonMembers(text: string): Map<string, string> {
  const members = new Map<string, string>();
  const walk = (prefix: string, value: unknown): void => {
    if (typeof value === 'object' && value !== null) {
      for (const [key, member] of Object.entries(value)) walk(prefix === '' ? key : `${prefix}.${key}`, member);
    } else members.set(prefix, String(value));
  };
  try {
    walk('', JSON.parse(text));
  } catch {
    // QEMU refuses it with words of its own
  }
  return members;
}
