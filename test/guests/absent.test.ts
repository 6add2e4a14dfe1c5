/** The log names features that the processor lacks, and what to do instead. */
import { describe, expect, it } from 'vitest';
import { type Assembler, LOAD_AT, multibootImage } from '../support/assembler';
import { Guest } from './harness';

const IDT = 0x180000;

/** Code behind its own GDT, whose entry 0x18 is a TSS, and an IDT whose entry 0x20 is a task gate; the fault that follows ends the machine. */
async function logOf(write: (asm: Assembler) => void): Promise<string[]> {
  const kernel = multibootImage((asm) => {
    asm.b(0x0f, 0x01, 0x15).at('gdtr').b(0xea).at('here').b(8, 0).label('here'); // lgdt; jmp 8:here
    asm.b(0xb8, 0x10, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc).d(0x190000);
    asm
      .b(0xc7, 0x05)
      .d(IDT + 8 * 0x20, 0x180000)
      .b(0xc7, 0x05)
      .d(IDT + 8 * 0x20 + 4, 0x8500);
    asm.b(0x0f, 0x01, 0x1d).at('idtr');
    write(asm);
    asm.b(0xf4);
    asm.align(8).label('gdt').d(0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300, 0x67, 0x8900);
    asm.label('gdtr').b(0x1f, 0).at('gdt');
    asm.label('idtr').b(0xff, 7).d(IDT);
  });
  const guest = await Guest.boot({ guest: { name: 'absent', kernel } });
  guest.machine.run.advance(1000);
  return guest.events.flatMap((event) => (event.type === 'log' ? [event.text] : []));
}

const push = (value: number): number[] => [0x68, value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];

describe('the log names', () => {
  it.each<[string, (asm: Assembler) => void, RegExp]>([
    [
      'a jump to a TSS',
      (asm) => asm.b(0xea).d(0).b(0x18, 0),
      /no hardware task switches: the far jump .* names the TSS or task gate 0x18; switch/,
    ],
    ['a task gate', (asm) => asm.b(0xcd, 0x20), /vector 0x20 came to a task gate at 0x10[0-9a-f]+; use an interrupt gate/],
    [
      'a return from a nested task',
      (asm) => asm.b(...push(0x4002), 0x9d, 0xcf),
      /no hardware task switches: the IRET before 0x[0-9a-f]+ returns from a nested task \(RFLAGS\.NT\); clear NT/,
    ],
    [
      'virtual-8086 mode',
      (asm) => asm.b(...push(0x20002), ...push(8), ...push(LOAD_AT), 0xcf),
      /no virtual-8086 mode: the IRET .* sets RFLAGS\.VM; run 16-bit code in real mode/,
    ],
    [
      'AVX',
      (asm) => asm.b(0xc5, 0xfc, 0x77),
      /#UD: AVX \(VEX prefix\) is not there at 0x10[0-9a-f]+: c5 fc; build the program for x86-64-v2/,
    ],
  ])('%s, and what to do instead', async (_what, write, expected) => {
    expect((await logOf(write))[0]).toMatch(expected);
  });
});
