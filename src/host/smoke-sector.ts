/**
 * A boot sector that does in a few instructions what a 64-bit kernel cannot do without: long mode, addresses of the upper half, an exception, a
 * 16 byte compare-and-exchange, SSE, a way to user mode and back, and two loops of twenty million turns that take some 20 ms on a processor and
 * far more than the time limit when each instruction is emulated. At its end it writes to the port of the device isa-debug-exit, and QEMU ends with 99.
 *
 * Linked to 0x7c00, where a BIOS puts it. Each row: the bytes, then address and instruction (AT&T).
 */
const code: readonly string[] = [
  // page tables at 0x1000: the first 2 MiB, for the user too, once at 0 and once in the half of the kernel
  'fa', // 7c00 cli
  'fc', // 7c01 cld
  '31c0', // 7c02 xor %ax,%ax
  '8ed8', // 7c04 mov %ax,%ds
  '8ec0', // 7c06 mov %ax,%es
  '8ed0', // 7c08 mov %ax,%ss
  'bc007c', // 7c0a mov $0x7c00,%sp
  'bf0010', // 7c0d mov $0x1000,%di
  'b90020', // 7c10 mov $0x2000,%cx
  'f3ab', // 7c13 rep stos %ax,%es:(%di)
  'c70600100720', // 7c15 movw $0x2007,0x1000
  'c706f81f0720', // 7c1b movw $0x2007,0x1ff8
  'c70600200730', // 7c21 movw $0x3007,0x2000
  'c706f02f0730', // 7c27 movw $0x3007,0x2ff0
  'c70600308700', // 7c2d movw $0x87,0x3000
  // CR4: PAE and SSE; CR3; EFER: long mode and syscall; CR0: paging
  '66b820060000', // 7c33 mov $0x620,%eax
  '0f22e0', // 7c39 mov %eax,%cr4
  '66b800100000', // 7c3c mov $0x1000,%eax
  '0f22d8', // 7c42 mov %eax,%cr3
  '66b9800000c0', // 7c45 mov $0xc0000080,%ecx
  '0f32', // 7c4b rdmsr
  '0d0101', // 7c4d or $0x101,%ax
  '0f30', // 7c50 wrmsr
  '0f20c0', // 7c52 mov %cr0,%eax
  '24fb', // 7c55 and $0xfb,%al
  '660d03000080', // 7c57 or $0x80000003,%eax
  '0f22c0', // 7c5d mov %eax,%cr0
  '0f0116807d', // 7c60 lgdtw 0x7d80
  'ea6a7c0800', // 7c65 ljmp $0x8,$0x7c6a
  // into the half of the kernel, with a stack there
  '48c7c0737c0080', // 7c6a mov $0xffffffff80007c73,%rax
  'ffe0', // 7c71 jmp *%rax
  '48c7c4007c0080', // 7c73 mov $0xffffffff80007c00,%rsp
  '48bf30400080ffffffff', // 7c7a movabs $0xffffffff80004030,%rdi
  // a gate for exception 3, and the exception
  '48c7c04d7d0080', // 7c84 mov $0xffffffff80007d4d,%rax
  '89c2', // 7c8b mov %eax,%edx
  '668907', // 7c8d mov %ax,(%rdi)
  'c747020800008e', // 7c90 movl $0x8e000008,0x2(%rdi)
  'c1ea10', // 7c97 shr $0x10,%edx
  '66895706', // 7c9a mov %dx,0x6(%rdi)
  'c74708ffffffff', // 7c9e movl $0xffffffff,0x8(%rdi)
  '0f011c25867d0000', // 7ca5 lidt 0x7d86
  '31ed', // 7cad xor %ebp,%ebp
  'cc', // 7caf int3
  '83fd03', // 7cb0 cmp $0x3,%ebp
  '0f8582000000', // 7cb3 jne 0x7d3b
  // the 16 byte exchange that kernels use in their allocators, where the processor has it
  'b801000000', // 7cb9 mov $0x1,%eax
  '0fa2', // 7cbe cpuid
  '0fbae10d', // 7cc0 bt $0xd,%ecx
  '731a', // 7cc4 jae 0x7ce0
  '31c0', // 7cc6 xor %eax,%eax
  '99', // 7cc8 cltd
  '488db700010000', // 7cc9 lea 0x100(%rdi),%rsi
  '4883e6f0', // 7cd0 and $0xfffffffffffffff0,%rsi
  'bb01000000', // 7cd4 mov $0x1,%ebx
  'f0480fc70e', // 7cd9 lock cmpxchg16b (%rsi)
  '755b', // 7cde jne 0x7d3b
  // SSE, the page table base, one page’s translation
  '66480f6ec4', // 7ce0 movq %rsp,%xmm0
  '0f114740', // 7ce5 movups %xmm0,0x40(%rdi)
  '488b4740', // 7ce9 mov 0x40(%rdi),%rax
  '4839e0', // 7ced cmp %rsp,%rax
  '7549', // 7cf0 jne 0x7d3b
  '0f20d8', // 7cf2 mov %cr3,%rax
  '0f22d8', // 7cf5 mov %rax,%cr3
  '0f013f', // 7cf8 invlpg (%rdi)
  // syscall: STAR, LSTAR, FMASK
  'b9810000c0', // 7cfb mov $0xc0000081,%ecx
  '31c0', // 7d00 xor %eax,%eax
  'ba08001300', // 7d02 mov $0x130008,%edx
  '0f30', // 7d07 wrmsr
  'ffc1', // 7d09 inc %ecx
  '48c7c03e7d0080', // 7d0b mov $0xffffffff80007d3e,%rax
  '83caff', // 7d12 or $0xffffffff,%edx
  '0f30', // 7d15 wrmsr
  'ffc1', // 7d17 inc %ecx
  'ffc1', // 7d19 inc %ecx
  'b800020000', // 7d1b mov $0x200,%eax
  '31d2', // 7d20 xor %edx,%edx
  '0f30', // 7d22 wrmsr
  // to the user: count, and back by syscall
  'b9307d0000', // 7d24 mov $0x7d30,%ecx
  '6a02', // 7d29 push $0x2
  '415b', // 7d2b pop %r11
  '480f07', // 7d2d sysretq
  'b9002d3101', // 7d30 mov $20000000,%ecx
  'ffc9', // 7d35 dec %ecx
  '75fc', // 7d37 jne 0x7d35
  '0f05', // 7d39 syscall
  // any fault of the above: wait for the time to run out
  'f4', // 7d3b hlt
  'ebfd', // 7d3c jmp 0x7d3b
  // in the kernel: count, then tell isa-debug-exit
  'b9002d3101', // 7d3e mov $20000000,%ecx
  'ffc9', // 7d43 dec %ecx
  '75fc', // 7d45 jne 0x7d43
  'b031', // 7d47 mov $0x31,%al
  'e6f4', // 7d49 out %al,$0xf4
  'ebee', // 7d4b jmp 0x7d3b
  // exception 3
  'bd03000000', // 7d4d mov $0x3,%ebp
  '48cf', // 7d52 iretq
  '0f1f4000', // 7d54 nopl 0x0(%rax)
  // GDT: kernel code and data, user data and code
  '0000000000000000',
  '00000000009a2000',
  '0000000000920000',
  '0000000000f20000',
  '0000000000fa2000',
  // its limit and address; those of the IDT
  '2700587d0000',
  '3f0000400080ffffffff',
];

const sectorBytes = 512;

/** What QEMU ends with when the guest came to its end: isa-debug-exit doubles what is written (0x31) and adds one. */
export const smokeExitStatus = 99;

/** A disk must have room for one cylinder, or a BIOS does not read it. */
export const smokeDiskBytes = 2 * 1024 * 1024;

export function buildSmokeSector(): Buffer {
  const sector = Buffer.alloc(sectorBytes);
  Buffer.from(code.join(''), 'hex').copy(sector);
  sector.writeUInt16LE(0xaa55, sectorBytes - 2);
  return sector;
}
