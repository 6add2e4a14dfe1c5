/** Operations of the map 0F 3A that move bytes by an immediate: PALIGNR, PEXTR, PINSR, INSERTPS, MPSADBW. */
import { sideBySide } from './buffers';

/** PALIGNR: dst:src shifted right by bytes. Zeros come in from the left. */
export function alignRight(mmx: bool, dst: usize, src: usize, bytes: u32): void {
  const size: usize = mmx ? 8 : 16;
  memory.copy(sideBySide(), src, size);
  memory.copy(sideBySide() + size, dst, size);
  memory.fill(sideBySide() + 2 * size, 0, 2 * size);
  const from = sideBySide() + min<usize>(<usize>bytes, 2 * size);
  memory.copy(dst, from, size);
}

/** PEXTRB (14), PEXTRW (15), PEXTRD and PEXTRQ (16), EXTRACTPS (17): pointer to the zero-extended lane of the register. */
export function extract(opcode: u32, wide: bool, immediate: u32, register: usize): usize {
  let value: u64;
  if (opcode == 0x14) value = load<u8>(register + <usize>(immediate & 15));
  else if (opcode == 0x15) value = load<u16>(register + ((<usize>(immediate & 7)) << 1));
  else if (opcode == 0x16 && wide) value = load<u64>(register + ((<usize>(immediate & 1)) << 3));
  else value = load<u32>(register + ((<usize>(immediate & 3)) << 2));
  store<u64>(sideBySide(), value);
  return sideBySide();
}

/** PINSRB (20), PINSRD and PINSRQ (22). */
export function insertWhole(opcode: u32, wide: bool, immediate: u32, dst: usize, src: usize): void {
  if (opcode == 0x20) store<u8>(dst + <usize>(immediate & 15), load<u8>(src));
  else if (wide) store<u64>(dst + ((<usize>(immediate & 1)) << 3), load<u64>(src));
  else store<u32>(dst + ((<usize>(immediate & 3)) << 2), load<u32>(src));
}

/** INSERTPS: a single into the lane that bits 5:4 name, then zeros into the lanes of bits 3:0. */
export function insertSingle(dst: usize, single: u32, immediate: u32): void {
  store<u32>(dst + ((<usize>((immediate >> 4) & 3)) << 2), single);
  for (let lane: usize = 0; lane < 4; lane++) {
    if ((immediate >> <u32>lane) & 1) store<u32>(dst + (lane << 2), 0);
  }
}

/** MPSADBW: for each of eight neighbouring starts in dst, the differences of four bytes to the four of src that bits 1:0 name. */
export function sumsOfDifferences(dst: usize, src: usize, immediate: u32): void {
  const block = src + ((<usize>(immediate & 3)) << 2);
  v128.store(sideBySide(), v128.load(dst));
  const start = sideBySide() + <usize>(immediate & 4);
  const fixed = load<u32>(block);
  for (let i: usize = 0; i < 8; i++) {
    let sum: i32 = 0;
    for (let k: usize = 0; k < 4; k++) {
      sum += abs<i32>(<i32>load<u8>(start + i + k) - <i32>((fixed >> ((<u32>k) << 3)) & 255));
    }
    store<u16>(dst + (i << 1), <u16>sum);
  }
}
