/** A guest with two vCPUs that increment one word, in an order that the scheduler chooses. */
import type { Assembler } from './assembler';

const AP_CODE = 0x8000;
/** gpa of the counter. */
export const COUNTER = 0x9000;

/** vCPU 0 starts vCPU 1 with `length` bytes of 16-bit code at the label 'ap', and continues. */
export function wakeSecond(asm: Assembler, length: number): void {
  asm.b(0xbe).at('ap').b(0xbf).d(AP_CODE).b(0xb9).d(length).b(0xf3, 0xa4); // mov esi, ap; mov edi, AP_CODE; mov ecx, length; rep movsb
  asm.b(0xc7, 0x05).d(0xfee000f0, 0x1ff); // local APIC on
  asm.b(0xc7, 0x05).d(0xfee00300, 0xc4500); // INIT to all others
  asm.b(0xc7, 0x05).d(0xfee00300, 0xc4608); // start-up at 0x8000
}

/**
 * vCPU 0 starts vCPU 1 with the first `length` bytes at the label 'ap', which the caller writes next (16-bit code). It then counts and polls the
 * serial line, and answers each byte with the value of the counter.
 */
export function startSecond(asm: Assembler, length: number): void {
  wakeSecond(asm, length);
  asm.label('loop');
  asm.b(0xf0, 0xff, 0x05).d(COUNTER); // lock inc dword [COUNTER]
  asm.b(0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, -17 & 255); // mov dx, 0x3fd; in al, dx; test al, 1; jz loop
  asm.b(0x66, 0xba, 0xf8, 0x03, 0xec, 0x02, 0x05).d(COUNTER).b(0xee); // mov dx, 0x3f8; in al, dx; add al, [COUNTER]; out dx, al
  asm.jmp('loop');
  asm.label('ap');
}
