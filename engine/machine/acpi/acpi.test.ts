import { describe, expect, it } from 'vitest';
import * as aml from './aml';
import { buildAcpi } from './tables';

const AT = 0xe0000;
const ascii = (bytes: Uint8Array) => String.fromCharCode(...bytes);
const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

describe('AML', () => {
  it('encodes names, integers and ids as the specification does', () => {
    expect(aml.name('\\_SB.MHPC.MSCN')).toEqual([0x5c, 0x2f, 3, ...Buffer.from('_SB_MHPCMSCN')]);
    expect(aml.integer(0x100)).toEqual([0x0b, 0x00, 0x01]);
    expect(aml.integer(0xfffffffffn)[0]).toBe(0x0e);
    expect(aml.eisaId('PNP0501')).toEqual([0x0c, 0x41, 0xd0, 0x05, 0x01]);
    expect(() => aml.name('lower')).toThrow("'lower' is not an AML name");
  });

  it('counts package lengths with themselves: one byte up to 63, then two', () => {
    expect(aml.scope('A', new Array(57).fill(0)).slice(0, 2)).toEqual([0x10, 62]);
    expect(aml.scope('A', new Array(59).fill(0)).slice(0, 3)).toEqual([0x10, 0x40 | (65 & 15), 65 >> 4]);
  });
});

describe('tables', () => {
  const { bytes, tables } = buildAcpi(AT, { smp: 2, slots: 8 });
  const body = (signature: string) => {
    const { gpa, length } = tables.find((table) => table.signature === signature)!;
    return bytes.subarray(gpa - AT, gpa - AT + length);
  };
  const u32 = (from: Uint8Array, at: number) => new DataView(from.buffer, from.byteOffset).getUint32(at, true);

  it('are found from the root pointer on, each with its checksum', () => {
    expect(ascii(bytes.subarray(0, 8))).toBe('RSD PTR ');
    expect([sum(bytes.subarray(0, 20)), sum(bytes.subarray(0, 36))]).toEqual([0, 0]);
    const xsdt = bytes.subarray(u32(bytes, 24) - AT);
    const entries = [36, 44].map((at) => ascii(bytes.subarray(u32(xsdt, at) - AT).subarray(0, 4)));
    expect(entries).toEqual(['FACP', 'APIC']);
    for (const { signature } of tables) {
      expect(ascii(body(signature).subarray(0, 4))).toBe(signature);
      expect(u32(body(signature), 4)).toBe(body(signature).length);
      expect(sum(body(signature))).toBe(0);
    }
  });

  it('say hardware-reduced, where reset and sleep registers are, and one local APIC per vCPU', () => {
    const fadt = body('FACP');
    expect(u32(fadt, 112) & (1 << 20)).not.toBe(0);
    expect([u32(fadt, 120), u32(fadt, 248), u32(fadt, 260)]).toEqual([0xfea00202, 0xfea00200, 0xfea00201]);
    expect(u32(fadt, 140)).toBe(tables.find((table) => table.signature === 'DSDT')!.gpa);
    const madt = body('APIC');
    expect([madt[44], madt[47], madt[52], madt[55], madt[60]]).toEqual([0, 0, 0, 1, 1]);
  });

  it('have one memory device per slot, and none without slots', () => {
    const memoryDevices = ascii(body('DSDT')).split(ascii(Uint8Array.from(aml.eisaId('PNP0C80')))).length - 1;
    expect(memoryDevices).toBe(8);
    const without = buildAcpi(AT, { smp: 1, slots: 0 });
    expect(ascii(without.bytes)).not.toContain('MHPC');
  });

  it('list present virtio-mmio devices, each with its window and its own level interrupt', () => {
    const at = (virtio: number) => buildAcpi(AT, { smp: 1, slots: 0, virtio }).bytes;
    expect(ascii(at(0))).not.toContain('LNRO0005');
    expect(at(0)).toEqual(buildAcpi(AT, { smp: 1, slots: 0 }).bytes);
    const two = at(2);
    expect(ascii(two).split('LNRO0005').length - 1).toBe(2);
    const second = two.subarray(ascii(two).lastIndexOf('LNRO0005'));
    const window = second.findIndex((byte, n) => byte === 0x86 && second[n + 1] === 9);
    expect([second[window + 3], u32(second, window + 4), u32(second, window + 8)]).toEqual([1, 0xfeb00200, 0x200]);
    // Extended interrupt descriptor: consumer, level, active high, exclusive; one of them.
    expect([...second.subarray(window + 12, window + 21)]).toEqual([0x89, 6, 0, 1, 1, 17, 0, 0, 0]);
  });
});
