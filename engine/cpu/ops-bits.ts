/** BT BTS BTR BTC BSF BSR POPCNT CRC32. SDM 2. */
import { arithmeticFlags, F_CF, F_ZF, setArithmeticFlags } from './flags';
import { canWrite, inMemory, memVal, operandSize, operandVa, rd, regRead, regWrite, rmRead, uncheckedVa, wr, writeReg } from './mem';
import { R_DST, R_EA_BASE, R_IMM, R_KIND, R_SRC, R_WHERE, RECORD_SIZE, VREG_EA, WHERE_SEGMENT, WHERE_WRAPS } from './record';
import { cpu } from './state';

/**
 * R_KIND: 0 BT 1 BTS 2 BTR 3 BTC; + 4: the bit number is a register, and with a memory operand it may reach any word around it.
 * R_WHERE of those: abi/record.ts.
 */
export function opBit(p: usize): i32 {
  const size = operandSize(p);
  const extra = load<u32>(p, R_KIND);
  const kind = extra & 3;
  const bits = (<i64>size) << 3;
  const raw = extra & 4 ? regRead(p, size) : load<u64>(p, R_IMM);
  const bit = raw & <u64>(bits - 1);
  let va: u64 = 0;
  if (inMemory(p)) {
    const where = extra & 4 ? load<u32>(p, R_WHERE) : 0;
    let distance: u64 = 0;
    if (extra & 4) {
      const shift = 64 - <u64>bits;
      const number = <i64>(raw << shift) >> shift;
      distance = <u64>((number >> (size == 8 ? 6 : size == 4 ? 5 : 4)) * <i64>size);
    }
    if (where & WHERE_SEGMENT) {
      if (!uncheckedVa(p, distance, size, kind != 0)) return 0;
      va = load<u64>(cpu, VREG_EA);
    } else {
      va = operandVa(p) + distance;
      if (where & WHERE_WRAPS) {
        // The offset wraps, but not the base that the address record before this one has added.
        const base = load<u64>(cpu + <usize>load<u32>(p - RECORD_SIZE, R_EA_BASE));
        va = ((va - base) & 0xffffffff) + base;
      }
    }
    if (kind != 0 && !canWrite(p, va, size)) return 0;
    if (!rd(p, va, size)) return 0;
  } else rmRead(p, size);
  const old = memVal;
  const mask = (<u64>1) << bit;
  if (kind != 0) {
    const value = kind == 1 ? old | mask : kind == 2 ? old & ~mask : old ^ mask;
    if (inMemory(p)) {
      if (!wr(p, va, size, value)) return 0;
    } else writeReg(<u32>load<u16>(p, R_SRC), size, value);
  }
  setArithmeticFlags((arithmeticFlags() & ~F_CF) | (<u32>(old >> bit) & 1));
  return 1;
}

/** A zero source sets ZF and leaves the target alone, as all processors do (with 32 bits some clear the upper half; here it is kept). */
function scanned(p: usize, size: i32, found: bool, index: u64): i32 {
  setArithmeticFlags((arithmeticFlags() & ~F_ZF) | (found ? 0 : F_ZF));
  if (found) regWrite(p, size, index);
  return 1;
}
export function opBsf(p: usize): i32 {
  const size = operandSize(p);
  if (!rmRead(p, size)) return 0;
  return scanned(p, size, memVal != 0, ctz<u64>(memVal));
}
export function opBsr(p: usize): i32 {
  const size = operandSize(p);
  if (!rmRead(p, size)) return 0;
  return scanned(p, size, memVal != 0, 63 - clz<u64>(memVal));
}

/** All flags but ZF are cleared. */
export function opPopcnt(p: usize): i32 {
  const size = operandSize(p);
  if (!rmRead(p, size)) return 0;
  setArithmeticFlags(memVal == 0 ? F_ZF : 0);
  regWrite(p, size, popcnt<u64>(memVal));
  return 1;
}

/** The Castagnoli polynomial 0x11EDC6F41, bits reversed. */
const CRC32C: u32 = 0x82f63b78;

/** R_DST is a 64-bit register of which the low half counts. */
export function opCrc32(p: usize): i32 {
  const size = operandSize(p);
  if (!rmRead(p, size)) return 0;
  const dst = cpu + <usize>load<u16>(p, R_DST);
  let value = memVal;
  let crc = load<u32>(dst);
  for (let i = 0; i < size; i++) {
    crc ^= <u32>value & 255;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ CRC32C : crc >> 1;
    value >>= 8;
  }
  store<u64>(dst, <u64>crc);
  return 1;
}
