/*
 * Entry from a multiboot 1 loader: 32-bit protected mode, paging off, EAX = loader magic, EBX = multiboot information.
 * Builds an identity map of the low 4 GiB in 2 MiB pages, switches to long mode and calls lab_main(magic, information).
 * Interrupt and exception entry points follow.
 */
.intel_syntax noprefix

#define CR0_PG_WP_PE 0x80010001
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define CODE64 0x08
#define DATA 0x10
#define TSS 0x18
#define PAGE_LARGE 0x83 /* present, writable, page size */
#define PAGE_TABLE 0x03
#define PAGE_UNCACHED 0x18
#define FIRST_UNCACHED 1792 /* 0xe0000000 / 2 MiB: devices from there to 4 GiB */

.section .multiboot, "a"
  .balign 4
  .long 0x1badb002, 0x00000003, -(0x1badb002 + 0x00000003) /* modules on pages, memory map wanted */

.section .text.start, "ax"
.code32
.globl _start
_start:
  cli
  cld
  mov esp, offset stack_top
  mov edi, eax
  mov esi, ebx
  mov eax, 0x80000000
  cpuid
  cmp eax, 0x80000001
  jb no_long_mode
  mov eax, 0x80000001
  cpuid
  test edx, 1 << 29
  jz no_long_mode
  mov ebx, esi

  lea eax, [boot_pdpt + PAGE_TABLE]
  mov [boot_pml4], eax
  lea eax, [boot_pd + PAGE_TABLE]
  mov ecx, 0
1:mov [boot_pdpt + ecx * 8], eax
  add eax, 4096
  inc ecx
  cmp ecx, 4
  jne 1b
  mov eax, PAGE_LARGE
  mov ecx, 0
2:mov [boot_pd + ecx * 8], eax
  add eax, 0x200000
  inc ecx
  cmp ecx, FIRST_UNCACHED
  jne 3f
  or eax, PAGE_UNCACHED
3:cmp ecx, 2048
  jne 2b

  mov eax, offset boot_pml4
  mov cr3, eax
  mov eax, CR4_PAE
  mov cr4, eax
  mov ecx, MSR_EFER
  rdmsr
  or eax, EFER_LME
  wrmsr
  mov eax, CR0_PG_WP_PE
  mov cr0, eax
  lgdt [gdt_pointer]
  push CODE64
  push offset start64
  retf

no_long_mode:
  mov esi, offset no_long_mode_text
4:lodsb
  test al, al
  jz 5f
  mov bl, al
  mov dx, 0x3fd
6:in al, dx
  test al, 0x20
  jz 6b
  mov dx, 0x3f8
  mov al, bl
  out dx, al
  jmp 4b
5:cli
  hlt
  jmp 5b

.code64
start64:
  mov eax, DATA
  mov ds, eax
  mov es, eax
  mov ss, eax
  xor eax, eax
  mov fs, eax
  mov gs, eax
  mov rsp, offset stack_top
  /* The TSS only provides the stack of the double fault handler. Its address is below 16 MiB, so base 31:24 stay 0. */
  mov rax, offset tss
  mov [gdt_tss + 2], ax
  shr eax, 16
  mov [gdt_tss + 4], al
  mov rax, offset fault_stack_top
  mov [tss + 36], rax
  mov eax, TSS
  ltr ax
  mov esi, ebx
  xor ebp, ebp
  call lab_main
7:cli
  hlt
  jmp 7b

/* Abandons the running command: the stack starts over. */
.globl shell_restart
shell_restart:
  mov rsp, offset stack_top
  xor ebp, ebp
  call shell
  ud2

/* One 16-byte entry point per vector: 0 to 47 and 255. The vector is stored in the place of the CPU's error code on the stack. */
.balign 16
.globl trap_entries
trap_entries:
  .set n, 0
  .rept 48
  .balign 16
  .if n != 8 && (n < 10 || n > 14) && n != 17 && n != 21 && n != 29 && n != 30
  push 0
  .endif
  push n
  jmp trap_common
  .set n, n + 1
  .endr
.balign 16
.globl trap_spurious
trap_spurious:
  iretq

trap_common:
  push rax
  push rcx
  push rdx
  push rbx
  push rbp
  push rsi
  push rdi
  push r8
  push r9
  push r10
  push r11
  push r12
  push r13
  push r14
  push r15
  cld
  mov rdi, rsp
  mov rbp, rsp
  and rsp, -16
  call trap
  mov rsp, rbp
  pop r15
  pop r14
  pop r13
  pop r12
  pop r11
  pop r10
  pop r9
  pop r8
  pop rdi
  pop rsi
  pop rbp
  pop rbx
  pop rdx
  pop rcx
  pop rax
  add rsp, 16
  iretq

.section .rodata
no_long_mode_text: .asciz "memlab needs a 64-bit processor (CPUID 0x80000001 EDX bit 29 is clear)\r\n"

.section .data
.balign 8
gdt:
  .quad 0
  .quad 0x00af9a000000ffff /* CODE64 */
  .quad 0x00cf92000000ffff /* DATA */
gdt_tss:
  .quad 0x0000890000000067
  .quad 0
gdt_end:
gdt_pointer:
  .word gdt_end - gdt - 1
  .quad gdt

.section .bss
.balign 4096
.globl boot_pml4, boot_pdpt
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pd: .skip 4096 * 4
stack: .skip 16384
.globl stack_top
stack_top:
fault_stack: .skip 4096
fault_stack_top:
tss: .skip 104

.section .note.GNU-stack, "", @progbits
