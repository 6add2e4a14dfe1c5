/** ROUNDPS, ROUNDPD, ROUNDSS, ROUNDSD (SDM 2). */

import { EX_PRECISION } from '../fpu/float80';
import { resultBuffer } from './buffers';
import { acceptLanes } from './float';
import { addLaneFlags, clearLaneFlags, flushOperand, isNanLane, mxcsr, quietLane } from './lanes';

/** Bits of the immediate: round as MXCSR says; do not report an inexact result. */
const BY_MXCSR: u32 = 4;
const NO_PRECISION: u32 = 8;

function roundLane(v: u64, double: bool, mode: u32, quiet: bool): u64 {
  if (isNanLane(v, double)) return quietLane(v, double);
  v = flushOperand(v, double);
  const x = double ? reinterpret<f64>(v) : <f64>reinterpret<f32>(<u32>v);
  const whole = mode == 0 ? nearest<f64>(x) : mode == 1 ? floor<f64>(x) : mode == 2 ? ceil<f64>(x) : trunc<f64>(x);
  if (whole != x && !quiet) addLaneFlags(EX_PRECISION);
  return double ? reinterpret<u64>(whole) : <u64>reinterpret<u32>(<f32>whole);
}

/** 08 PS, 09 PD, 0A SS, 0B SD. */
export function roundLanes(opcode: u32, dst: usize, src: usize, immediate: u32): i32 {
  const double = (opcode & 1) != 0;
  const bytes: usize = opcode < 0x0a ? 16 : double ? 8 : 4;
  const quiet = (immediate & NO_PRECISION) != 0;
  const mode = immediate & BY_MXCSR ? (mxcsr() >> 13) & 3 : immediate & 3;
  clearLaneFlags();
  for (let i: usize = 0; i < bytes; i += double ? 8 : 4) {
    if (double) store<u64>(resultBuffer() + i, roundLane(load<u64>(src + i), true, mode, quiet));
    else store<u32>(resultBuffer() + i, <u32>roundLane(<u64>load<u32>(src + i), false, mode, quiet));
  }
  if (!acceptLanes()) return 0;
  memory.copy(dst, resultBuffer(), bytes);
  return 1;
}
