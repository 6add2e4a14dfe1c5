/** A guest uses the PC's ways to report x87 errors, to reset, and to move the local APIC. */
import { expect, it } from 'vitest';
import { type Assembler, multibootImage } from '../support/assembler';
import { Guest } from './harness';

const outb = (port: number, value: number): number[] => [0xb0, value, 0xe6, port]; // mov al, value; out port, al
const outDx = (port: number, value: number): number[] => [0x66, 0xba, port & 255, port >> 8, 0xb0, value, 0xee];
/** Sends a byte to the serial line. */
const say = (character: string): number[] => outDx(0x3f8, character.charCodeAt(0));
/** al: CMOS byte 0x40, which a reset leaves alone. */
const count = (): number[] => [...outb(0x70, 0x40), 0xe4, 0x71];

function resets(asm: Assembler): void {
  asm.b(...count(), 0x88, 0xc4, ...outb(0x70, 0x40), 0x88, 0xe0, 0xfe, 0xc0, 0xe6, 0x71); // mov ah, al; count it; al = ah + 1
  asm.b(0x66, 0xba, 0xf8, 0x03, 0x04, 0x2f, 0xee); // mov dx, 0x3f8; add al, '0' - 1; out dx, al
  for (const [run, code] of [
    [0, [...outb(0x92, 0), ...outb(0x92, 1)]],
    [1, [...outDx(0xcf9, 2), ...outDx(0xcf9, 6)]],
    [2, outb(0x64, 0xfe)],
  ] as const) {
    asm.b(0x80, 0xfc, run, 0x75, code.length + 2, ...code, 0xeb, 0xfe); // cmp ah, run; jne; ...; jmp $
  }
  asm.b(...say('!'), 0xf4);
}

it('port 0x92, the reset control register and the keyboard controller reset the machine', async () => {
  const guest = await Guest.boot({ guest: { name: 'resets', kernel: multibootImage(resets) } });
  expect(guest.until('!')).toBe('0123!');
});

it('a PCI configuration address resets nothing', async () => {
  const guest = await Guest.boot({
    guest: {
      name: 'pci',
      kernel: multibootImage((asm) => {
        // mov dx, 0xcf8; mov eax, 0x80000c00 | function << 8; out dx, eax
        for (let fn = 0; fn < 8; fn++)
          asm
            .b(0x66, 0xba, 0xf8, 0x0c, 0xb8)
            .d((0x80000000 | (fn << 8)) >>> 0)
            .b(0xef);
        asm.b(0xed, 0x40, 0x75, 0xfe, ...say('k'), 0xf4); // in eax, dx; inc eax: all ones; jnz $
      }),
    },
  });
  expect(guest.until('k')).toBe('k');
});

const IDT = 0x180000;

it('an x87 error with CR0.NE clear raises IRQ 13, and port 0xF0 lowers it', async () => {
  const kernel = multibootImage((asm) => {
    asm.b(0x0f, 0x01, 0x15).at('gdtr').b(0xea).at('here').b(8, 0).label('here');
    asm.b(0xb8, 0x10, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc).d(0x190000);
    asm
      .b(0xb8)
      .at('irq')
      .b(0x66, 0xa3)
      .d(IDT + 8 * 0x2d); // gate 0x2d
    asm
      .b(0xc7, 0x05)
      .d(IDT + 8 * 0x2d + 2, 0x8e000008)
      .b(0xc1, 0xe8, 16, 0x66, 0xa3)
      .d(IDT + 8 * 0x2d + 6);
    asm.b(0x0f, 0x01, 0x1d).at('idtr');
    for (const [port, value] of [
      [0x20, 0x11],
      [0xa0, 0x11],
      [0x21, 0x20],
      [0xa1, 0x28],
      [0x21, 4],
      [0xa1, 2],
      [0x21, 1],
      [0xa1, 1],
      [0x21, 0xfb],
      [0xa1, 0xdf],
    ] as const)
      asm.b(...outb(port, value));
    asm.b(0x0f, 0x20, 0xc0, 0x83, 0xe0, 0xd1, 0x0f, 0x22, 0xc0, 0xfb); // cr0 without NE, TS, EM; sti
    asm.b(0xdb, 0xe3, 0x68).d(0x340).b(0xd9, 0x2c, 0x24); // fninit; fldcw with nothing masked
    asm.b(0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, ...say('a'), 0x9b, ...say('b'), 0xf4); // 1 / 0; fwait
    asm.label('irq').b(0x60, ...outb(0xf0, 0), 0xdb, 0xe2, ...say('i'), ...outb(0xa0, 0x20), ...outb(0x20, 0x20), 0x61, 0xcf);
    asm.align(8).label('gdt').d(0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300);
    asm.label('gdtr').b(0x17, 0).at('gdt');
    asm.label('idtr').b(0xff, 7).d(IDT);
  });
  const guest = await Guest.boot({ guest: { name: 'ferr', kernel } });
  expect(guest.until('b')).toBe('aib');
});

it('the local APIC answers at its new IA32_APIC_BASE, and no longer at the old one', async () => {
  const kernel = multibootImage((asm) => {
    asm.b(0xb9).d(0x1b).b(0x31, 0xd2, 0xb8).d(0x42000900).b(0x0f, 0x30); // wrmsr
    asm
      .b(0xa1)
      .d(0x42000030)
      .b(0x3c, 0x14, 0x75, 0xfe, ...say('v')); // its version register: al is 0x14
    asm
      .b(0xa1)
      .d(0xfee00030)
      .b(0x40, 0x75, 0xfe, ...say('h'), 0xf4); // a hole: all ones
  });
  const guest = await Guest.boot({ guest: { name: 'apic', kernel } });
  expect(guest.until('h')).toBe('vh');
  expect(guest.machine.inspect.holes.total).toBe(1);
});

it('a state from before these devices existed is accepted, one without any other device is not', async () => {
  const boot = () => Guest.boot({ guest: { name: 'resets', kernel: multibootImage(resets) } });
  const { machine } = await boot();
  machine.run.advance(10);
  const state = machine.snapshot.capture();
  const without = (...names: string[]) => ({
    ...state,
    devices: Object.fromEntries(Object.entries(state.devices).filter(([name]) => !names.includes(name))),
  });
  const other = (await boot()).machine;
  other.snapshot.restore(without('port92', 'reset-control', 'coprocessor-error'));
  expect(await other.digest()).toBe(await machine.digest());
  expect(() => other.snapshot.restore(without('rtc'))).toThrow("device 'rtc' is missing");
});
