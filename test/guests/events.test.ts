/** Interrupts, NMIs and start-up messages that arrive between the two swaps of a commit, while the memory they need lies in an INVALID slot. */
import { describe, expect, it } from 'vitest';
import { type Assembler, multibootImage } from '../support/assembler';
import { Guest, MIB } from './harness';

const IDT = 0x180000;
/** In the slot ram.b; code and tables lie in ram.a. */
const STACK = 0x1800000;
const AP_CODE = 0x8000;
/** Slots of a board with 32 MiB (`info memslots`). */
const RAM_LOW = 0;
const RAM_B = 4;

/** eax -> gate of `vector`. */
function gate(asm: Assembler, vector: number, handler: string): void {
  const at = IDT + 8 * vector;
  asm.b(0xb8).at(handler); // mov eax, handler
  asm.b(0x66, 0xa3).d(at); // mov [at], ax
  asm.b(0xc7, 0x05).d(at + 2, 0x8e000008); // mov dword [at + 2], selector and type
  asm.b(0xc1, 0xe8, 16, 0x66, 0xa3).d(at + 6); // shr eax, 16; mov [at + 6], ax
}

/** Sends a byte to the serial line. */
const say = (character: string): number[] => [0x66, 0xba, 0xf8, 0x03, 0xb0, character.charCodeAt(0), 0xee];

/** A timer at 10 kHz that prints t, an NMI handler that prints n; a byte on the serial line starts vCPU 1, which prints a. */
const kernel = multibootImage((asm) => {
  asm.b(0x0f, 0x01, 0x15).at('gdtr').b(0xea).at('here').b(8, 0).label('here'); // lgdt [gdtr]; jmp 8:here
  asm.b(0xb8, 0x10, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0); // mov eax, 16; mov ds, es, ss
  asm.b(0xbc).d(STACK);
  gate(asm, 2, 'nmi');
  gate(asm, 0x30, 'timer');
  asm.b(0x0f, 0x01, 0x1d).at('idtr'); // lidt [idtr]
  asm.b(0xbe).at('ap').b(0xbf).d(AP_CODE).b(0xb9).d(32).b(0xf3, 0xa4); // copies the code of vCPU 1
  asm.b(0xc7, 0x05).d(0xfee000f0, 0x1ff); // local APIC on
  asm.b(0xc7, 0x05).d(0xfee003e0, 0xb); // divide by 1
  asm.b(0xc7, 0x05).d(0xfee00320, 0x20030); // periodic, vector 0x30
  asm.b(0xc7, 0x05).d(0xfee00380, 100_000);
  asm.b(0xfb).label('spin'); // sti
  asm.b(0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, -9 & 255); // mov dx, 0x3fd; in al, dx; test al, 1; jz spin
  asm.b(0x66, 0xba, 0xf8, 0x03, 0xec); // mov dx, 0x3f8; in al, dx
  asm.b(0xc7, 0x05).d(0xfee00300, 0xc4500); // INIT to all others
  asm.b(0xc7, 0x05).d(0xfee00300, 0xc4608); // start-up at 0x8000
  asm.jmp('spin');
  asm
    .label('timer')
    .b(0x60, ...say('t'), 0xc7, 0x05)
    .d(0xfee000b0, 0)
    .b(0x61, 0xcf); // pusha; say; EOI; popa; iret
  asm.label('nmi').b(0x60, ...say('n'), 0x61, 0xcf);
  asm.label('ap').b(0xba, 0xf8, 0x03, 0xb0, 'a'.charCodeAt(0), 0xee, 0xf4); // 16-bit: mov dx, 0x3f8; mov al, 'a'; out dx, al; hlt
  asm.align(8).label('gdt').d(0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300);
  asm.label('gdtr').b(0x17, 0).at('gdt');
  asm.label('idtr').b(0xff, 7).d(IDT);
});

/** A guest between the two swaps of a stepped commit that gives a slot another backing. */
async function between(zap: string, slot: number, smp = 1): Promise<Guest> {
  const guest = await Guest.boot({ ram: 32 * MIB, smp, guest: { name: 'events', kernel } });
  const { machine } = guest;
  machine.changeSet.setZap(zap);
  guest.until('ttt');
  machine.changeSet.begin();
  machine.changeSet.stage({ op: 'rehost', slot });
  machine.changeSet.beginStepped();
  while (machine.changeSet.stepping!.phase !== 'swap2') {
    machine.changeSet.step();
    machine.run.advance(1000);
  }
  guest.since();
  return guest;
}

describe.each(['slot', 'all'])('zap %s: between the two swaps', (zap) => {
  it('a timer interrupt waits for its stack, and the timer keeps running', async () => {
    const guest = await between(zap, RAM_B);
    for (let n = 0; n < 5; n++) guest.machine.run.advance(100_000);
    expect(guest.since()).toBe('');
    expect(guest.machine.changeSet.stepping!.retries).toBeGreaterThan(0);
    guest.machine.changeSet.finish();
    expect(guest.until('tttttttt')).not.toContain('n');
  });

  it('an NMI waits as well, and is delivered once', async () => {
    const guest = await between(zap, RAM_B);
    guest.machine.nmi?.();
    for (let n = 0; n < 5; n++) guest.machine.run.advance(100_000);
    expect(guest.since()).toBe('');
    guest.machine.changeSet.finish();
    expect(guest.until('tttttttt').replaceAll('t', '')).toBe('n');
  });

  it('a vCPU that is started waits for its code', async () => {
    const guest = await between(zap, RAM_LOW, 2);
    guest.type('x');
    for (let n = 0; n < 5; n++) guest.machine.run.advance(100_000);
    expect(guest.since()).toMatch(/^t+$/);
    guest.machine.changeSet.finish();
    expect(guest.until('a').replaceAll('t', '')).toBe('a');
  });
});
