import { describe, expect, it } from 'vitest';
import { le32, pvhElf } from '../../../test/support/pvh-elf';
import { MemslotEngine } from '../../memory/index';
import type { GuestImage } from '../api';
import { makeE820 } from '../e820';
import { HostMemory } from '../host-memory';
import { PhysicalMemory } from '../physical';
import { loadGuest } from './detect';

const MIB = 0x100000;
const RAM = 16 * MIB;

function board(ram = RAM) {
  const host = new HostMemory();
  const engine = new MemslotEngine({ hostBase: 0x2000000, hostSize: host.limit });
  const low = host.allocate(0xa0000, 'ram.low');
  const high = host.allocate(ram - MIB, 'ram.a');
  engine.changeUserMemoryRegions([
    { slot: 0, guestPhysAddr: 0, memorySize: 0xa0000, userspaceAddr: low },
    { slot: 3, guestPhysAddr: MIB, memorySize: ram - MIB, userspaceAddr: high },
  ]);
  const physical = new PhysicalMemory(engine, host, () => {});
  const e820 = makeE820([
    { start: 0, end: 0xa0000, type: 1 },
    { start: 0xa0000, end: MIB, type: 2 },
    { start: MIB, end: ram, type: 1 },
  ]);
  const load = (guest: GuestImage) => loadGuest(guest, { physical, e820, rsdp: 0xe0000 });
  const u32 = (gpa: number) => new DataView(physical.read(gpa, 4)!.buffer).getUint32(0, true);
  const text = (gpa: number) => {
    const bytes = physical.read(gpa, 128)!;
    return String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
  };
  return { load, u32, text, physical };
}

/** A bzImage with one sector of setup, protocol 2.15, code 'K' x 4096. */
function bzImage(change: (view: DataView) => void = () => {}): Uint8Array {
  const image = new Uint8Array(1024 + 4096).fill(0x4b, 1024);
  const view = new DataView(image.buffer);
  view.setUint8(0x1f1, 1);
  view.setUint32(0x1f4, 256, true);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint8(0x201, 0x6a);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, 0x20f, true);
  view.setUint8(0x211, 1);
  view.setUint32(0x214, MIB, true);
  view.setUint32(0x22c, 0x7fffffff, true);
  view.setUint8(0x234, 1);
  view.setUint16(0x236, 1, true);
  view.setUint32(0x238, 64, true);
  view.setBigUint64(0x258, BigInt(2 * MIB), true);
  view.setUint32(0x260, MIB, true);
  change(view);
  return image;
}

describe('bzImage', () => {
  it('is entered in long mode at +0x200 with boot_params as the protocol wants them', () => {
    const { load, u32, text, physical } = board();
    const initrd = new Uint8Array(5000).fill(0x49);
    const entry = load({ name: 'vmlinuz', kernel: bzImage(), initrd, append: 'console=ttyS0' });
    expect(entry).toMatchObject({ mode: 'long', rip: 2 * MIB + 0x200, gdt: { limit: 31 } });
    const params = entry.gpr[6]!;
    expect(u32(params + 0x202)).toBe(0x53726448);
    expect(physical.read(params + 0x210, 1)![0]).toBe(0xff);
    expect(text(u32(params + 0x228))).toBe('console=ttyS0');
    expect(u32(params + 0x218)).toBe(RAM - 8192);
    expect(u32(params + 0x21c)).toBe(5000);
    expect(physical.read(RAM - 8192 + 4999, 1)![0]).toBe(0x49);
    expect(u32(params + 0x70)).toBe(0xe0000);
    expect(physical.read(params + 0x1e8, 1)![0]).toBe(3);
    expect([u32(params + 0x2d0 + 40), u32(params + 0x2d8 + 40), u32(params + 0x2e0 + 40)]).toEqual([MIB, RAM - MIB, 1]);
    expect(physical.read(2 * MIB, 4)).toEqual(new Uint8Array(4).fill(0x4b));
    const pml4 = entry.cr3!;
    const pdpt = Math.floor(u32(pml4) / 4096) * 4096;
    const lastGib = Math.floor(u32(pdpt + 24) / 4096) * 4096;
    expect(u32(lastGib + 511 * 8)).toBe(0xffe00083);
  });

  it('without the 64-bit flag is entered in protected mode at its start, where it is linked when not relocatable', () => {
    const { load } = board();
    const kernel = bzImage((view) => {
      view.setUint8(0x234, 0);
      view.setUint16(0x236, 0, true);
    });
    expect(load({ name: 'memtest', kernel })).toMatchObject({ mode: 'protected', rip: MIB });
  });

  it.each<[string, Partial<GuestImage>, number, RegExp]>([
    ['cut short', { kernel: bzImage().subarray(0, 3000) }, RAM, /'k': the image is cut short: 3000 bytes of 5120/],
    ['an old protocol', { kernel: bzImage((v) => v.setUint16(0x206, 0x200, true)) }, RAM, /boot protocol 2\.0 is too old/],
    [
      'too little memory',
      { kernel: bzImage((v) => v.setUint32(0x260, 14 * MIB + 1, true)) },
      RAM,
      /needs RAM up to 0x1000001: use at least -m 17M/,
    ],
    [
      'no place for the kernel',
      { kernel: bzImage((v) => v.setBigUint64(0x258, 0x10000000n, true)) },
      RAM,
      /needs RAM up to 0x10100000: use at least -m 257M, and a layout that has RAM from 0x10000000 on/,
    ],
    ['a long command line', { append: 'x'.repeat(65) }, RAM, /65 characters, the kernel takes at most 64/],
    ['a big initrd', { initrd: new Uint8Array(13 * MIB + 1) }, RAM, /no room for the initrd of 13631489 bytes: use at least -m 17M/],
  ])('refuses %s', (_what, change, ram, message) => {
    const { load } = board(ram);
    expect(() => load({ name: 'k', kernel: bzImage(), ...change })).toThrow(message);
  });
});

/** ELF32 with a Multiboot header, one segment at 1 MiB (virtual 0xc0100000), 16 bytes of bss. */
function multibootElf(change: (view: DataView) => void = () => {}): Uint8Array {
  const image = new Uint8Array(0x200);
  const view = new DataView(image.buffer);
  image.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 3, true);
  view.setUint32(24, 0xc0100010, true);
  view.setUint32(28, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, 1, true);
  const header = [1, 0x100, 0xc0100000, MIB, 0x100, 0x110];
  header.forEach((value, index) => {
    view.setUint32(52 + index * 4, value, true);
  });
  view.setUint32(0x100, 0x1badb002, true);
  view.setUint32(0x104, 3, true);
  view.setUint32(0x108, -(0x1badb002 + 3), true);
  change(view);
  return image;
}

describe('Multiboot', () => {
  it('loads segments at physical addresses and hands over command line, map, memory sizes and module', () => {
    const { load, u32, text, physical } = board();
    physical.write(MIB + 0x100, new Uint8Array(16).fill(0xff));
    const entry = load({ name: 'memlab', kernel: multibootElf(), append: 'a b', initrd: Uint8Array.of(1, 2, 3) });
    expect(entry).toMatchObject({ mode: 'protected', rip: MIB + 0x10 });
    expect(entry.gpr[0]).toBe(0x2badb002);
    expect(u32(MIB)).toBe(0x1badb002);
    expect(u32(MIB + 0x104)).toBe(0);
    const info = entry.gpr[3]!;
    expect(u32(info)).toBe(0x24d);
    expect([u32(info + 4), u32(info + 8)]).toEqual([640, 15 * 1024]);
    expect(text(u32(info + 16))).toBe('memlab a b');
    expect(u32(info + 44)).toBe(3 * 24);
    const last = u32(info + 48) + 48;
    expect([u32(last), u32(last + 4), u32(last + 12), u32(last + 20)]).toEqual([20, MIB, 15 * MIB, 1]);
    const module = u32(info + 24);
    expect(u32(module + 4) - u32(module)).toBe(3);
    expect(physical.read(u32(module), 3)).toEqual(Uint8Array.of(1, 2, 3));
  });

  it.each<[string, (view: DataView) => void, RegExp]>([
    [
      'unknown requirements',
      (v) => {
        v.setUint32(0x104, 0x11, true);
        v.setUint32(0x108, -(0x1badb002 + 0x11), true);
      },
      /unknown features \(flags 0x10\)/,
    ],
    ['a segment that is cut short', (v) => v.setUint32(52 + 16, 0x1000, true), /segment 0 is cut short/],
    ['another processor', (v) => v.setUint16(18, 40, true), /ELF machine 40 is not x86/],
    ['a segment outside RAM', (v) => v.setUint32(52 + 12, 0xa0000, true), /a kernel segment needs guest memory \[0xa0000, 0xa0110\)/],
    ['program headers outside the file', (v) => v.setUint32(28, 0x1f0, true), /program headers are cut short/],
  ])('refuses %s', (_what, change, message) => {
    expect(() => board().load({ name: 'k', kernel: multibootElf(change) })).toThrow(message);
  });
});

describe('PVH', () => {
  const AT = 2 * MIB;
  const entryNote = ['Xen', 18, le32(AT + 4)] as const;
  const code = new Uint8Array(16).fill(0x90);
  const kernel = (change: Partial<Parameters<typeof pvhElf>[0]> = {}) =>
    pvhElf({ bits: 64, at: AT, code, memorySize: 32, notes: [['GNU', 3, [1, 2, 3]], entryNote], entry: AT, ...change });

  it('is entered in 32-bit mode with EBX on start information, memory map, command line, root pointer and module', () => {
    const { load, u32, text, physical } = board();
    physical.write(AT + 16, new Uint8Array(16).fill(0xff));
    const entry = load({ name: 'pvh', kernel: kernel(), append: 'a b', initrd: Uint8Array.of(1, 2, 3) });
    expect(entry).toMatchObject({ mode: 'protected', rip: AT + 4 });
    expect(entry.memoryBlock).toBeUndefined();
    expect([u32(AT), u32(AT + 16)]).toEqual([0x90909090, 0]);
    const info = entry.gpr[3]!;
    expect([u32(info), u32(info + 4), u32(info + 8), u32(info + 12)]).toEqual([0x336ec578, 1, 0, 1]);
    expect(text(u32(info + 24))).toBe('a b');
    expect(u32(info + 32)).toBe(0xe0000);
    expect(u32(info + 48)).toBe(3);
    const last = u32(info + 40) + 48;
    expect([u32(last), u32(last + 8), u32(last + 16)]).toEqual([MIB, 15 * MIB, 1]);
    const module = u32(info + 16);
    expect(u32(module + 8)).toBe(3);
    expect(physical.read(u32(module), 3)).toEqual(Uint8Array.of(1, 2, 3));
  });

  it('knows Linux by its notes: memory comes in whole blocks, the command line has its limit', () => {
    for (const note of [
      ['Linux', 0x100, [0]],
      ['Xen', 6, [...new TextEncoder().encode('linux')]],
    ] as const) {
      const linux = kernel({ notes: [entryNote, note] });
      expect(board().load({ name: 'vmlinux', kernel: linux }).memoryBlock).toBe(128 * MIB);
      expect(() => board().load({ name: 'vmlinux', kernel: linux, append: 'x'.repeat(2048) })).toThrow(
        /2048 characters, the kernel takes at most 2047/,
      );
    }
  });

  it('takes precedence over a Multiboot header in the same file', () => {
    const both = kernel({ code: Uint8Array.from([...le32(0x1badb002), ...le32(0), ...le32(-0x1badb002)]) });
    expect(board().load({ name: 'both', kernel: both }).gpr[0]).toBe(0x2badb002);
  });

  it.each<[string, Partial<Parameters<typeof pvhElf>[0]>, RegExp]>([
    ['an entry outside the file', { notes: [['Xen', 18, le32(0x1234)]] }, /its PVH entry 0x1234 lies in none of its segments/],
    [
      'a segment outside RAM',
      { at: 0xa0000, notes: [['Xen', 18, le32(0xa0000)]] },
      /a kernel segment needs guest memory \[0xa0000, 0xa0020\)/,
    ],
    ['a long command line', {}, /characters, the kernel takes at most 4095/],
  ])('refuses %s', (what, change, message) => {
    const append = what === 'a long command line' ? 'x'.repeat(4096) : '';
    expect(() => board().load({ name: 'k', kernel: kernel(change), append })).toThrow(message);
  });

  it('refuses a file whose notes are truncated or name no entry', () => {
    const cut = kernel();
    new DataView(cut.buffer).setUint32(0x100 + 4, 0xfffffff0, true);
    expect(board().load({ name: 'k', kernel: cut })).toMatchObject({ mode: 'long', rip: AT });
    expect(board().load({ name: 'k', kernel: kernel({ notes: [['Xen', 18, [1]]] }) })).toMatchObject({ mode: 'long' });
    expect(board().load({ name: 'k', kernel: kernel({ notes: [['GNU', 18, le32(AT)]] }) })).toMatchObject({ mode: 'long' });
  });
});

describe('vmlinux', () => {
  it('is a 64-bit ELF file entered at its own entry with a made-up setup header', () => {
    const image = new Uint8Array(0x2000);
    const view = new DataView(image.buffer);
    image.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    view.setUint16(16, 2, true);
    view.setUint16(18, 62, true);
    view.setBigUint64(24, BigInt(MIB), true);
    view.setBigUint64(32, 64n, true);
    view.setUint16(54, 56, true);
    view.setUint16(56, 1, true);
    view.setUint32(64, 1, true);
    [0x1000, 0xffffffff81000000, MIB, 16, 0x3000].forEach((value, index) => {
      view.setBigUint64(72 + index * 8, BigInt(value), true);
    });
    image.fill(0x90, 0x1000);
    const { load, u32, text } = board();
    const entry = load({ name: 'vmlinux', kernel: image, append: 'quiet' });
    expect(entry).toMatchObject({ mode: 'long', rip: MIB });
    expect([u32(MIB), u32(MIB + 16)]).toEqual([0x90909090, 0]);
    expect(u32(entry.gpr[6]! + 0x202)).toBe(0x53726448);
    expect(text(u32(entry.gpr[6]! + 0x228))).toBe('quiet');
  });
});

describe('other files', () => {
  it('starts a boot sector in real mode at 0x7c00', () => {
    const { load, physical } = board();
    const sector = new Uint8Array(512);
    sector.set([0x55, 0xaa], 510);
    expect(load({ name: 'boot.img', kernel: sector })).toMatchObject({ mode: 'real', rip: 0x7c00 });
    expect(physical.read(0x7c00 + 510, 2)).toEqual(Uint8Array.of(0x55, 0xaa));
  });

  it.each([
    ['empty', new Uint8Array(0), "could not load kernel 'x': the file is empty"],
    [
      'text',
      new TextEncoder().encode('hello, this is no kernel'.repeat(40)),
      'it is neither a bzImage nor a Multiboot image nor a boot sector',
    ],
    [
      'an ELF without header',
      multibootElf((v) => v.setUint32(0x100, 0, true)),
      'it is an ELF file, but neither Multiboot nor PVH nor a 64-bit x86 executable',
    ],
  ])('refuses %s', (_what, kernel, message) => {
    expect(() => board().load({ name: 'x', kernel })).toThrow(message);
  });
});
