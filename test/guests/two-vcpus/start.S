/* memlab's entry to 64-bit code, and that of vCPU 1, which begins in 16-bit code at 0x8000. */
#include "../../../guests/memlab/boot.S"

.section .text
.globl second_start, second_start_end
.balign 16
.code16
second_start:
  cli
  lgdt cs:[second_gdt - second_start]
  mov eax, CR4_PAE
  mov cr4, eax
  mov eax, offset boot_pml4
  mov cr3, eax
  mov ecx, MSR_EFER
  rdmsr
  or eax, EFER_LME
  wrmsr
  mov eax, CR0_PG_WP_PE
  mov cr0, eax
  .byte 0x66, 0xea /* jmp far CODE64:second64 */
  .long second64
  .word CODE64
.balign 4
second_gdt:
  .word 0x17
  .long gdt
second_start_end:

.code64
second64:
  mov eax, DATA
  mov ds, eax
  mov es, eax
  mov ss, eax
  mov rsp, offset second_stack_top
  xor ebp, ebp
  call second
  ud2

.section .bss
.balign 16
  .skip 4096
second_stack_top:
