/**
 * The keys of a profile. What a NIC is, is handed in: all kinds for the JSON Schema, anything for parsing, where each entry goes to its own
 * kind (nic/schema/entry).
 */
import path from 'node:path';
import * as z from 'zod/mini';
import type { Parsed } from './address.ts';
import { diskField } from './disk-field.ts';
import {
  described,
  filePath,
  flag,
  map,
  oneOf,
  text,
  textList,
  transformed,
  wholeNumber,
  word,
  type FieldContext,
} from './fields.ts';
import type { BootDevice } from './profile.ts';
import { parseMemory } from './size.ts';

/** More than any machine type has slots for. */
export const maxDevices = 64;

const bootDevices = ['disk', 'cdrom', 'network'] as const satisfies readonly BootDevice[];

export function profileSchema<N extends z.ZodMiniType>(context: FieldContext, nic: N) {
  return map('A profile of qrun: one virtual machine.', {
    description: z.exactOptional(text('What this machine is, in one line.', () => undefined)),
    cpus: z.prefault(cpusField(), 1),
    memory: z.prefault(memoryField(), '512M'),
    accel: z._default(
      oneOf('auto: KVM if this user can really use it, else TCG with a warning. kvm never falls back.', [
        'auto',
        'kvm',
        'tcg',
      ]),
      'auto',
    ),
    machine: machineField(),
    cpu: cpuField(),
    firmware: z._default(oneOf('uefi: with a variable store of its own for each VM.', ['bios', 'uefi']), 'bios'),
    kernel: z.exactOptional(filePath(context, 'Boots this Linux kernel directly.', ['vmlinuz'])),
    initrd: z.exactOptional(filePath(context, 'The initial RAM disk of that kernel.', ['initrd.gz'])),
    append: z.exactOptional(text('The command line of that kernel.', () => undefined, { examples: ['console=ttyS0'] })),
    disks: z._default(
      described(z.array(diskField(context)).check(z.maxLength(maxDevices)), 'The disks, in order.'),
      () => [],
    ),
    cdrom: z.exactOptional(filePath(context, 'An image in the CD drive.', ['debian.iso'])),
    boot: z.prefault(bootField(), () => [...bootDevices]),
    display: z._default(
      oneOf("A window for the screen. vnc is a socket of the user's own.", ['none', 'gtk', 'sdl', 'vnc', 'spice-app']),
      'none',
    ),
    console: z._default(
      oneOf('stdio: the serial console is relayed to the terminal that started the VM.', ['stdio', 'none']),
      'stdio',
    ),
    nics: z._default(
      described(
        z.array(nic).check(z.maxLength(maxDevices)),
        'The network cards. Default: one of kind user. An empty list means no network at all.',
      ),
      () => ['user' as z.output<N>],
    ),
    ephemeral: z._default(flag('true: nothing that the guest writes to its disks is kept.'), false),
    shutdown: z._default(
      map('How the VM is ended.', {
        timeout: z._default(wholeNumber('Seconds for the guest to power itself down.', 0, 86400), 60),
      }),
      { timeout: 60 },
    ),
    hooks: hooksField(context),
    runAs: z.exactOptional(
      text('When root starts it: the user that QEMU runs as.', faultOfUser, {
        pattern: '^[A-Za-z_][A-Za-z0-9_.-]*[$]?$',
      }),
    ),
    args: z._default(textList('More arguments for QEMU, as they are.', 'An argument.'), () => []),
  });
}

function machineField() {
  return z._default(
    word('The machine type of QEMU.', {
      pattern: '[A-Za-z0-9][A-Za-z0-9._-]{0,63}',
      what: 'machine type',
      examples: ['q35', 'pc'],
    }),
    'q35',
  );
}

function cpuField() {
  return z.exactOptional(
    word('The CPU model of QEMU, with features if need be. Default: host under KVM, max under TCG.', {
      pattern: '[A-Za-z0-9][A-Za-z0-9._-]*(,[+-]?[A-Za-z0-9][A-Za-z0-9._-]*(=[A-Za-z0-9._-]+)?)*',
      what: 'CPU model, such as max or host,-vmx',
      examples: ['host', 'max'],
    }),
  );
}

function hooksField(context: FieldContext) {
  return z._default(
    map('Programs that qrun runs on the host: a path and its arguments.', {
      beforeStart: z.exactOptional(hookField(context, 'Run before the VM starts; if it fails, the VM does not start.')),
      afterStop: z.exactOptional(hookField(context, 'Run after the VM ended.')),
    }),
    () => ({}),
  );
}

const maxCpus = 1024;

function cpusField() {
  const part = (description: string) => z._default(wholeNumber(description, 1, maxCpus), 1);
  const counted = z.pipe(
    wholeNumber('How many CPUs.', 1, maxCpus),
    z.transform((cores: number) => ({ sockets: 1, cores, threads: 1 })),
  );
  const laidOut = map('How many CPUs, and how they are laid out.', {
    sockets: part('Sockets.'),
    cores: part('Cores in each socket.'),
    threads: part('Threads of each core.'),
  });
  const limited = z.pipe(
    laidOut,
    transformed((cpus: z.output<typeof laidOut>): Parsed<z.output<typeof laidOut>> => {
      const count = cpus.sockets * cpus.cores * cpus.threads;
      return count <= maxCpus ? { value: cpus } : { fault: `${count} CPUs are too many: at most ${maxCpus}` };
    }),
  );
  return described(z.union([counted, limited]), 'CPUs: how many, or { sockets: 1, cores: 2, threads: 2 }. Default: 1.');
}

function memoryField() {
  const description = 'Memory: a number of MiB, or with K, M, G or T. Default: 512M.';
  const counted = z.pipe(z.number(), transformed<number, number>(parseMemory));
  const measured = z.pipe(
    described(z.string(), description, { pattern: '^[0-9]+([.][0-9]+)?[KkMmGgTt]?$', examples: ['512M', '2G'] }),
    transformed<string, number>(parseMemory),
  );
  return described(z.union([counted, measured]), description);
}

function bootField() {
  const device = oneOf('A device to boot from.', bootDevices);
  const order = described(
    z.array(device).check(
      z.minLength(1),
      z.refine((list) => new Set(list).size === list.length, 'a device stands here twice'),
    ),
    'Where to boot from, in this order.',
  );
  const listed = z.pipe(
    order,
    z.transform((devices: BootDevice[]): { order: BootDevice[]; once?: BootDevice } => ({ order: devices })),
  );
  const full = map('Where to boot from.', {
    order: z.prefault(order, () => [...bootDevices]),
    once: z.exactOptional(oneOf('Only at the first boot of a run.', bootDevices)),
  });
  return described(
    z.union([listed, full]),
    'Where to boot from: [disk, cdrom, network], or { order: [disk], once: cdrom }. Default: in that order.',
  );
}

/** A path without a slash would be looked for on PATH: whose, depends on who starts the VM. */
function hookField(context: FieldContext, description: string) {
  const parse = ([program = '', ...rest]: string[]): Parsed<string[]> => {
    if (/^(\.\.?)?\//.test(program)) return { value: [path.resolve(context.directory, program), ...rest] };
    return { fault: 'a hook begins with the path of a program: absolute, or with ./ in front' };
  };
  return z.pipe(textList(description, 'A path, then arguments.'), transformed(parse));
}

function faultOfUser(name: string): string | undefined {
  if (name === 'root') return 'QEMU never runs as root: name another user, or remove the key';
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/.test(name) ? undefined : `${JSON.stringify(name)} is no name of a user`;
}
