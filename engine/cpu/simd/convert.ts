/** SSE and SSE2 conversions: opcodes 2A, 2C, 2D, 5A, 5B, E6. Flags and rounding: lanes.ts. */
import { resultBuffer } from './buffers';
import { ordinary32, zeroOr32, zeroOr64 } from './fast';
import { acceptLanes, notePrecision, plainMxcsr } from './float';
import { clearLaneFlags, convertLane, fromIntegerLane, toIntegerLane } from './lanes';

/** CVTSI2SS, CVTSI2SD from a 32- or 64-bit integer. */
export function scalarFromInteger(double: bool, dst: usize, value: i64): i32 {
  clearLaneFlags();
  if (double && <i64>(<f64>value) == value && value < 0x20000000000000 && value > -0x20000000000000) {
    store<f64>(dst, <f64>value);
    return 1;
  }
  const lane = fromIntegerLane(value, double);
  if (!acceptLanes()) return 0;
  if (double) store<u64>(dst, lane);
  else store<u32>(dst, <u32>lane);
  return 1;
}

/** CVT(T)SS2SI, CVT(T)SD2SI: to a general register; the 32-bit form clears its upper half. */
export function scalarToInteger(double: bool, truncate: bool, wide: bool, dst: usize, src: usize): i32 {
  if (double && plainMxcsr() && zeroOr64(load<u64>(src))) {
    const v = load<f64>(src);
    const whole = truncate ? trunc<f64>(v) : nearest<f64>(v);
    if (whole < 2147483648.0 && whole >= -2147483648.0) {
      store<u64>(dst, wide ? <u64>(<i64>whole) : <u64>(<u32>(<i32>whole)));
      notePrecision(whole != v);
      return 1;
    }
  }
  clearLaneFlags();
  const lane = double ? load<u64>(src) : <u64>load<u32>(src);
  const value = toIntegerLane(lane, double, wide ? 64 : 32, truncate);
  if (!acceptLanes()) return 0;
  store<u64>(dst, wide ? value : value & 0xffffffff);
  return 1;
}

/** CVTPI2PS, CVTPI2PD: two 32-bit integers. */
export function packedFromMmx(double: bool, dst: usize, src: usize): i32 {
  clearLaneFlags();
  const low = <i64>load<i32>(src);
  const high = <i64>load<i32>(src, 4);
  if (double) {
    store<f64>(dst, <f64>low);
    store<f64>(dst, <f64>high, 8);
    return 1;
  }
  const first = fromIntegerLane(low, false);
  const second = fromIntegerLane(high, false);
  if (!acceptLanes()) return 0;
  store<u64>(dst, (first & 0xffffffff) | (second << 32));
  return 1;
}

/** CVT(T)PS2PI, CVT(T)PD2PI: the 64-bit result, to `dst`. */
export function packedToMmx(double: bool, truncate: bool, dst: usize, src: usize): i32 {
  clearLaneFlags();
  const first = toIntegerLane(double ? load<u64>(src) : <u64>load<u32>(src), double, 32, truncate);
  const second = toIntegerLane(double ? load<u64>(src, 8) : <u64>load<u32>(src, 4), double, 32, truncate);
  if (!acceptLanes()) return 0;
  store<u64>(dst, (first & 0xffffffff) | (second << 32));
  return 1;
}

/** 5A: PS2PD (0), PD2PS (1), SS2SD (2), SD2SS (3). */
export function betweenFormats(prefix: u32, dst: usize, src: usize): i32 {
  if (prefix == 2 && zeroOr32(load<u32>(src))) {
    store<f64>(dst, <f64>load<f32>(src));
    return 1;
  }
  if (prefix == 3 && plainMxcsr()) {
    const v = load<f64>(src);
    const single = <f32>v;
    if (ordinary32(reinterpret<u32>(single))) {
      store<f32>(dst, single);
      notePrecision(<f64>single != v);
      return 1;
    }
  }
  clearLaneFlags();
  if (prefix >= 2) {
    const lane = convertLane(prefix == 2 ? <u64>load<u32>(src) : load<u64>(src), prefix == 3);
    if (!acceptLanes()) return 0;
    if (prefix == 2) store<u64>(dst, lane);
    else store<u32>(dst, <u32>lane);
    return 1;
  }
  const first = convertLane(prefix == 0 ? <u64>load<u32>(src) : load<u64>(src), prefix == 1);
  const second = convertLane(prefix == 0 ? <u64>load<u32>(src, 4) : load<u64>(src, 8), prefix == 1);
  if (!acceptLanes()) return 0;
  store<u64>(dst, prefix == 0 ? first : (first & 0xffffffff) | (second << 32));
  store<u64>(dst, prefix == 0 ? second : 0, 8);
  return 1;
}

/** 5B: DQ2PS (0), PS2DQ (1), truncating PS2DQ (2). */
export function integersSingles(prefix: u32, dst: usize, src: usize): i32 {
  clearLaneFlags();
  for (let i = 0; i < 16; i += 4) {
    const lane = prefix == 0 ? fromIntegerLane(<i64>load<i32>(src + i), false) : toIntegerLane(load<u32>(src + i), false, 32, prefix == 2);
    store<u32>(resultBuffer() + i, <u32>lane);
  }
  if (!acceptLanes()) return 0;
  memory.copy(dst, resultBuffer(), 16);
  return 1;
}

/** E6: truncating PD2DQ (1), DQ2PD (2), PD2DQ (3). */
export function integersDoubles(prefix: u32, dst: usize, src: usize): i32 {
  if (prefix == 2) {
    const low = <f64>load<i32>(src);
    const high = <f64>load<i32>(src, 4);
    store<f64>(dst, low);
    store<f64>(dst, high, 8);
    return 1;
  }
  clearLaneFlags();
  const first = toIntegerLane(load<u64>(src), true, 32, prefix == 1);
  const second = toIntegerLane(load<u64>(src, 8), true, 32, prefix == 1);
  if (!acceptLanes()) return 0;
  store<u64>(dst, (first & 0xffffffff) | (second << 32));
  store<u64>(dst, 0, 8);
  return 1;
}
