/*
 * Multiboot 1 entry of the bench image, for -m32 (protected mode) and -m64 (long mode; an identity map of 1 GiB until system_init makes
 * its own), and the entry points of interrupts and system calls.
 */
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
  lgdt [gdt_pointer]
#ifdef __x86_64__
  lea eax, [page_root + 4096 + 3]
  mov [page_root], eax
  lea eax, [boot_directory + 3]
  mov [page_root + 4096], eax
  mov eax, 0x83
  mov ecx, 0
1:mov [boot_directory + ecx * 8], eax
  add eax, 0x200000
  inc ecx
  cmp ecx, 512
  jne 1b
  mov eax, offset page_root
  mov cr3, eax
  mov eax, 0x20
  mov cr4, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x100
  wrmsr
  mov eax, 0x80010001
  mov cr0, eax
#endif
  push 8
  push offset start_flat
  retf
#ifdef __x86_64__
.code64
#endif
start_flat:
  mov eax, 16
  mov ss, eax
  mov eax, 35
  mov ds, eax
  mov es, eax
#ifdef __x86_64__
  mov rsp, offset stack_top
#endif
  call bench_main
2:hlt
  jmp 2b

.text
.globl load_tables, run_user, on_interrupt, on_user_end, on_page_fault, on_syscall
#ifdef __x86_64__
load_tables: /* idt, size */
  sub rsp, 16
  dec esi
  mov [rsp], si
  mov [rsp + 2], rdi
  lidt [rsp]
  add rsp, 16
  mov eax, 48
  ltr ax
  ret

run_user: /* code */
  push rbx
  push rbp
  push r12
  push r13
  push r14
  push r15
  mov [kernel_sp], rsp
  push 35
  push offset user_stack_top
  push 2
  push 43
  push rdi
  iretq
on_user_end:
  mov rsp, [kernel_sp]
  pop r15
  pop r14
  pop r13
  pop r12
  pop rbp
  pop rbx
  ret

on_interrupt:
  inc dword ptr [interrupts]
  iretq

on_syscall:
  inc dword ptr [interrupts]
  sysretq

on_page_fault:
  push rax
  mov rax, cr2
  shr rax, 12
  or qword ptr [page_table + rax * 8], 1
  inc dword ptr [faults]
  pop rax
  add rsp, 8
  iretq
#else
load_tables:
  mov eax, [esp + 8]
  dec eax
  mov [idt_pointer], ax
  mov eax, [esp + 4]
  mov [idt_pointer + 2], eax
  lidt [idt_pointer]
  mov eax, 48
  ltr ax
  ret

run_user:
  mov eax, [esp + 4]
  push ebx
  push ebp
  push esi
  push edi
  mov [kernel_sp], esp
  push 35
  push offset user_stack_top
  push 2
  push 27
  push eax
  iret
on_user_end:
  mov esp, [kernel_sp]
  pop edi
  pop esi
  pop ebp
  pop ebx
  ret

on_interrupt:
  inc dword ptr [interrupts]
  iret

on_syscall:
  inc dword ptr [interrupts]
  sysexit

on_page_fault:
  push eax
  mov eax, cr2
  shr eax, 12
  or dword ptr [page_table + eax * 4], 1
  inc dword ptr [faults]
  pop eax
  add esp, 4
  iret
#endif

.data
.balign 8
.globl gdt
/* kernel code and data, user code (32 bits), user data, user code (64 bits), TSS (system_init) */
gdt:
  .quad 0
#ifdef __x86_64__
  .quad 0x00af9a000000ffff
#else
  .quad 0x00cf9a000000ffff
#endif
  .quad 0x00cf92000000ffff, 0x00cffa000000ffff, 0x00cff2000000ffff, 0x00affa000000ffff, 0, 0
gdt_pointer:
  .word 63
  .long gdt, 0

.bss
.balign 4096
.globl page_root, interrupt_stack_top
page_root: .skip 8192
#ifdef __x86_64__
boot_directory: .skip 4096
#endif
kernel_sp: .skip 8
idt_pointer: .skip 8
.balign 16
stack: .skip 65536
stack_top: .skip 4096
interrupt_stack_top: .skip 4096
user_stack_top: .skip 16
.section .note.GNU-stack, "", @progbits
