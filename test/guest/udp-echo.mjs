/**
 * The UDP echo server of the test guest as a program of some 250 bytes: busybox can send UDP but not answer it. It is written out here so that no
 * compiler is needed. The socket is one of IPv6 that takes IPv4 too; what it cannot answer is lost, as UDP is.
 *
 * socket(AF_INET6, SOCK_DGRAM, 0); bind(any address, port 7); then for ever: recvfrom(2048 bytes), sendto(whoever that was).
 * Each row: the bytes, then address and instruction (AT&T).
 */
import { buildProgram } from './elf.mjs';

const code = [
  '6a29', // 00 push $0x29
  '58', // 02 pop %rax
  '6a0a', // 03 push $0xa
  '5f', // 05 pop %rdi
  '6a02', // 06 push $0x2
  '5e', // 08 pop %rsi
  '31d2', // 09 xor %edx,%edx
  '0f05', // 0b syscall
  '89c3', // 0d mov %eax,%ebx
  '4881ec80080000', // 0f sub $0x880,%rsp
  '4889e5', // 16 mov %rsp,%rbp
  '31c0', // 19 xor %eax,%eax
  '48894500', // 1b mov %rax,0x0(%rbp)
  '48894508', // 1f mov %rax,0x8(%rbp)
  '48894510', // 23 mov %rax,0x10(%rbp)
  '894518', // 27 mov %eax,0x18(%rbp)
  'c745000a000007', // 2a movl $0x700000a,0x0(%rbp)
  'b031', // 31 mov $0x31,%al
  '89df', // 33 mov %ebx,%edi
  '4889ee', // 35 mov %rbp,%rsi
  '6a1c', // 38 push $0x1c
  '5a', // 3a pop %rdx
  '0f05', // 3b syscall
  'c745201c000000', // 3d movl $0x1c,0x20(%rbp)
  '89df', // 44 mov %ebx,%edi
  '488db580000000', // 46 lea 0x80(%rbp),%rsi
  'ba00080000', // 4d mov $0x800,%edx
  '4531d2', // 52 xor %r10d,%r10d
  '4989e8', // 55 mov %rbp,%r8
  '4c8d4d20', // 58 lea 0x20(%rbp),%r9
  '6a2d', // 5c push $0x2d
  '58', // 5e pop %rax
  '0f05', // 5f syscall
  '85c0', // 61 test %eax,%eax
  '78d8', // 63 js 0x3d
  '89c2', // 65 mov %eax,%edx
  '89df', // 67 mov %ebx,%edi
  '488db580000000', // 69 lea 0x80(%rbp),%rsi
  '448b4d20', // 70 mov 0x20(%rbp),%r9d
  '6a2c', // 74 push $0x2c
  '58', // 76 pop %rax
  '0f05', // 77 syscall
  'ebc2', // 79 jmp 0x3d
];

/** @returns {Buffer} an ELF program for x86-64 Linux */
export const buildUdpEcho = () => buildProgram(Buffer.from(code.join(''), 'hex'));
