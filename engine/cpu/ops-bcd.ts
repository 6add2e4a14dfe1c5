/** Decimal adjustments (16- and 32-bit code only). SDM 2: DAA, DAS, AAA, AAS, AAM, AAD. */
import { VCPU_RAX } from '../abi/index';
import { arithmeticFlags, F_AF, F_CF, setResultFlags } from './flags';
import { R_IMM } from './record';
import { cpu, raise, VEC_DE } from './state';

function decimal(subtract: bool): i32 {
  const flags = arithmeticFlags();
  const old = <u32>load<u8>(cpu, VCPU_RAX);
  let al = old;
  let set: u32 = 0;
  if ((old & 15) > 9 || flags & F_AF) {
    al = subtract ? al - 6 : al + 6;
    set |= F_AF;
    if (subtract && old < 6) set |= F_CF;
  }
  if (old > 0x99 || flags & F_CF) {
    al = subtract ? al - 0x60 : al + 0x60;
    set |= F_CF;
  }
  if (flags & F_CF) set |= F_CF;
  store<u8>(cpu, <u8>al, VCPU_RAX);
  setResultFlags(<u64>(al & 255), 8, set);
  return 1;
}
export function opDaa(_p: usize): i32 {
  return decimal(false);
}
export function opDas(_p: usize): i32 {
  return decimal(true);
}

function ascii(subtract: bool): i32 {
  const flags = arithmeticFlags();
  const ax = <u32>load<u16>(cpu, VCPU_RAX);
  let value = ax;
  let set: u32 = 0;
  if ((ax & 15) > 9 || flags & F_AF) {
    value = subtract ? ax - 6 - 0x100 : ax + 0x106;
    set = F_AF | F_CF;
  }
  value &= 0xff0f;
  store<u16>(cpu, <u16>value, VCPU_RAX);
  setResultFlags(<u64>(value & 255), 8, set);
  return 1;
}
export function opAaa(_p: usize): i32 {
  return ascii(false);
}
export function opAas(_p: usize): i32 {
  return ascii(true);
}

export function opAam(p: usize): i32 {
  const base = load<u32>(p, R_IMM) & 255;
  if (base == 0) return raise(VEC_DE, 0);
  const al = <u32>load<u8>(cpu, VCPU_RAX);
  store<u16>(cpu, <u16>(((al / base) << 8) | (al % base)), VCPU_RAX);
  setResultFlags(<u64>(al % base), 8, 0);
  return 1;
}
export function opAad(p: usize): i32 {
  const value = (<u32>load<u8>(cpu, VCPU_RAX) + <u32>load<u8>(cpu, VCPU_RAX + 1) * (load<u32>(p, R_IMM) & 255)) & 255;
  store<u16>(cpu, <u16>value, VCPU_RAX);
  setResultFlags(<u64>value, 8, 0);
  return 1;
}
