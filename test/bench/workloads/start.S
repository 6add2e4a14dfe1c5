/* Multiboot 1 entry of the bench image, for -m32 (stays in protected mode, paging off) and -m64 (identity map of 1 GiB, long mode). */
.intel_syntax noprefix
.section .multiboot, "a"
  .balign 4
  .long 0x1badb002, 0, -0x1badb002

.section .text.start, "ax"
.code32
.globl _start
_start:
  cli
  cld
  mov esp, offset stack_top
#ifdef __x86_64__
  lea eax, [pdpt + 3]
  mov [pml4], eax
  lea eax, [pd + 3]
  mov [pdpt], eax
  mov eax, 0x83
  mov ecx, 0
1:mov [pd + ecx * 8], eax
  add eax, 0x200000
  inc ecx
  cmp ecx, 512
  jne 1b
  mov eax, offset pml4
  mov cr3, eax
  mov eax, 0x20
  mov cr4, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x100
  wrmsr
  mov eax, 0x80010001
  mov cr0, eax
  lgdt [gdt_pointer]
  push 8
  push offset start64
  retf
.code64
start64:
  mov eax, 16
  mov ds, eax
  mov es, eax
  mov ss, eax
  mov rsp, offset stack_top
#endif
  call bench_main
2:hlt
  jmp 2b

#ifdef __x86_64__
.section .data
.balign 8
gdt: .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
  .word 23
  .quad gdt
.section .bss
.balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd: .skip 4096
#endif

.section .bss
.balign 4096
stack: .skip 65536
stack_top:
.section .note.GNU-stack, "", @progbits
