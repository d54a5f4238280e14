/**
 * The test guest as a router: a program of some 600 bytes that tells the guest's kernel to give what leaves it its own address, since busybox has
 * neither nft nor iptables. It is written out here so that no compiler is needed. It does what `nft` does for
 *
 *   table ip nat { chain out { type nat hook postrouting priority srcnat; masquerade } }
 *
 * socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER), sendto(the batch below), recvfrom(the kernel's answer), exit(its errno, 0 when all went well).
 */
import { buildProgram, headerBytes, programBase } from './elf.mjs';

/** Each row: the bytes, then address and instruction (AT&T). `message` and `size` are put in. */
const codeFor = ({ message, size }) => [
  '6a29', // 00 push $0x29
  '58', // 02 pop %rax
  '6a10', // 03 push $0x10
  '5f', // 05 pop %rdi
  '6a03', // 06 push $0x3
  '5e', // 08 pop %rsi
  '6a0c', // 09 push $0xc
  '5a', // 0b pop %rdx
  '0f05', // 0c syscall
  '89c3', // 0e mov %eax,%ebx
  '6a2c', // 10 push $0x2c
  '58', // 12 pop %rax
  '89df', // 13 mov %ebx,%edi
  `be${word(message)}`, // 15 mov $message,%esi
  `ba${word(size)}`, // 1a mov $size,%edx
  '4531d2', // 1f xor %r10d,%r10d
  '4531c0', // 22 xor %r8d,%r8d
  '4531c9', // 25 xor %r9d,%r9d
  '0f05', // 28 syscall
  '4881ec00080000', // 2a sub $0x800,%rsp
  '6a2d', // 31 push $0x2d
  '58', // 33 pop %rax
  '89df', // 34 mov %ebx,%edi
  '4889e6', // 36 mov %rsp,%rsi
  'ba00080000', // 39 mov $0x800,%edx
  '4531d2', // 3e xor %r10d,%r10d
  '0f05', // 41 syscall
  '85c0', // 43 test %eax,%eax
  '89c7', // 45 mov %eax,%edi
  '7806', // 47 js 0x4f
  '8b7c2410', // 49 mov 0x10(%rsp),%edi
  'f7df', // 4d neg %edi
  '6a3c', // 4f push $0x3c
  '58', // 51 pop %rax
  '0f05', // 52 syscall
];

/** @returns {Buffer} an ELF program for x86-64 Linux */
export function buildMasquerade() {
  const batch = buildBatch();
  const size = Buffer.from(codeFor({ message: 0, size: 0 }).join(''), 'hex').length;
  const code = codeFor({ message: programBase + headerBytes + size, size: batch.length });
  return buildProgram(Buffer.concat([Buffer.from(code.join(''), 'hex'), batch]));
}

const word = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes.toString('hex');
};

// include/uapi/linux/netlink.h, netfilter/nfnetlink.h, netfilter/nf_tables.h
const subsystem = 10;
const flags = { request: 1, ack: 4, create: 0x400, append: 0x800 };
const ipv4 = 2;

/** What stands between the ends of a batch is done as a whole or not at all. */
function buildBatch() {
  const { request, ack, create, append } = flags;
  const table = (number) => attribute(number, 'nat');
  const hook = Buffer.concat([attribute(1, bigEndian(4)), attribute(2, bigEndian(100))]);
  const masquerade = attribute(1, Buffer.concat([attribute(1, 'masq'), attribute(2, Buffer.alloc(0))]));
  return Buffer.concat([
    message({ type: 0x10, flags: request, resource: subsystem }),
    message({ type: subsystem << 8, flags: request | create, family: ipv4 }, table(1)),
    message(
      { type: (subsystem << 8) | 3, flags: request | create, family: ipv4 },
      table(1),
      attribute(3, 'out'),
      attribute(4, hook),
      attribute(7, 'nat'),
    ),
    message(
      { type: (subsystem << 8) | 6, flags: request | create | append | ack, family: ipv4 },
      table(1),
      attribute(2, 'out'),
      attribute(4, masquerade),
    ),
    message({ type: 0x11, flags: request, resource: subsystem }),
  ]);
}

function message({ type, flags: set, family = 0, resource = 0 }, ...attributes) {
  const head = Buffer.alloc(20);
  const body = Buffer.concat(attributes);
  head.writeUInt32LE(head.length + body.length, 0);
  head.writeUInt16LE(type, 4);
  head.writeUInt16LE(set, 6);
  head.writeUInt8(family, 16);
  head.writeUInt16BE(resource, 18);
  return Buffer.concat([head, body]);
}

/** A text ends with a NUL; each begins at a multiple of four. */
function attribute(number, value) {
  const data = typeof value === 'string' ? Buffer.from(`${value}\0`) : value;
  const head = Buffer.alloc(4);
  head.writeUInt16LE(4 + data.length, 0);
  head.writeUInt16LE(number, 2);
  return Buffer.concat([head, data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
}

function bigEndian(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
