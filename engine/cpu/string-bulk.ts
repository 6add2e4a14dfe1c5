/** String instructions inside host pages, at the host's speed: fills, copies with their overlaps, comparisons and searches. */

@inline
function loadElement(at: usize, size: i32): u64 {
  return size == 8 ? load<u64>(at) : size == 4 ? <u64>load<u32>(at) : size == 2 ? <u64>load<u16>(at) : <u64>load<u8>(at);
}
@inline
function storeElement(at: usize, size: i32, value: u64): void {
  if (size == 8) store<u64>(at, value);
  else if (size == 4) store<u32>(at, <u32>value);
  else if (size == 2) store<u16>(at, <u16>value);
  else store<u8>(at, <u8>value);
}

/** Writes n elements of this value from `to` on. */
export function fillElements(to: usize, n: usize, size: i32, value: u64): void {
  let pattern = value;
  if (size == 1) pattern &= 0xff;
  if (size <= 1) pattern |= pattern << 8;
  if (size <= 2) pattern = (pattern & 0xffff) | (pattern << 16);
  if (size <= 4) pattern = (pattern & 0xffffffff) | (pattern << 32);
  const bytes = n * <usize>size;
  if (pattern == (pattern & 0xff) * 0x0101010101010101) {
    memory.fill(to, <u8>pattern, bytes);
    return;
  }
  const pair = i64x2.splat(<i64>pattern);
  const end = to + bytes;
  let at = to;
  for (; at + 64 <= end; at += 64) {
    v128.store(at, pair);
    v128.store(at, pair, 16);
    v128.store(at, pair, 32);
    v128.store(at, pair, 48);
  }
  for (; at < end; at += size) storeElement(at, size, value);
}

/** Copies element by element upwards, as the processor does: an element may be read again after it was written. */
export function copyUp(to: usize, from: usize, bytes: usize, size: i32): void {
  const distance = to - from;
  if (to <= from || distance >= bytes) {
    memory.copy(to, from, bytes);
  } else if (distance >= <usize>size) {
    // The target repeats the first `distance` bytes: each step copies what earlier steps have written.
    let done: usize = 0;
    while (done < bytes) {
      const rest = bytes - done;
      const step = done + distance;
      memory.copy(to + done, from, step < rest ? step : rest);
      done += step;
    }
  } else {
    for (let i: usize = 0; i < bytes; i += size) storeElement(to + i, size, loadElement(from + i, size));
  }
}

/** Copies n elements downwards; `to` and `from` point to the first and highest ones. */
export function copyDown(to: usize, from: usize, n: usize, size: i32): void {
  const bytes = n * <usize>size;
  if (to >= from || to + bytes <= from) {
    const below = bytes - <usize>size;
    memory.copy(to - below, from - below, bytes);
    return;
  }
  for (let i: usize = 0; i < n; i++) {
    const at = i * <usize>size;
    storeElement(to - at, size, loadElement(from - at, size));
  }
}

/** The last elements that `compareElements` or `searchElement` read. */
export let lastFirst: u64 = 0;
export let lastSecond: u64 = 0;
/** They ended the scan: equal, or (with untilEqual false) different. */
export let found: bool = false;

function equalLanes(a: v128, b: v128, size: i32): v128 {
  return size == 1 ? i8x16.eq(a, b) : size == 2 ? i16x8.eq(a, b) : size == 4 ? i32x4.eq(a, b) : i64x2.eq(a, b);
}

/** Compares up to n elements at a and b until two are equal, or (untilEqual false) differ. Returns how many it compared. step: +-size. */
export function compareElements(a: usize, b: usize, n: usize, size: i32, step: isize, untilEqual: bool): usize {
  let i: usize = 0;
  if (step > 0) {
    const lanes: usize = 16 / <usize>size;
    for (; i + lanes < n; i += lanes, a += 16, b += 16) {
      const first = v128.load(a);
      const second = v128.load(b);
      if (untilEqual ? v128.any_true(equalLanes(first, second, size)) : v128.any_true(v128.xor(first, second))) break;
    }
  }
  found = false;
  while (i < n && !found) {
    lastFirst = loadElement(a, size);
    lastSecond = loadElement(b, size);
    found = (lastFirst == lastSecond) == untilEqual;
    i++;
    a += step;
    b += step;
  }
  return i;
}

/** Searches up to n elements at b for `value`, or (untilEqual false) for a different one. Returns how many it compared. */
export function searchElement(value: u64, b: usize, n: usize, size: i32, step: isize, untilEqual: bool): usize {
  lastFirst = size == 8 ? value : value & (((<u64>1) << (<u64>(size << 3))) - 1);
  let i: usize = 0;
  if (step > 0) {
    const lanes: usize = 16 / <usize>size;
    const wanted =
      size == 1
        ? i8x16.splat(<i8>value)
        : size == 2
          ? i16x8.splat(<i16>value)
          : size == 4
            ? i32x4.splat(<i32>value)
            : i64x2.splat(<i64>value);
    for (; i + lanes < n; i += lanes, b += 16) {
      const second = v128.load(b);
      if (untilEqual ? v128.any_true(equalLanes(wanted, second, size)) : v128.any_true(v128.xor(wanted, second))) break;
    }
  }
  found = false;
  while (i < n && !found) {
    lastSecond = loadElement(b, size);
    found = (lastFirst == lastSecond) == untilEqual;
    i++;
    b += step;
  }
  return i;
}

/** The element at `from` + (n - 1) steps: what LODS leaves after n. */
export function lastElement(from: usize, n: usize, size: i32, step: isize): u64 {
  return loadElement(from + (n - 1) * step, size);
}
