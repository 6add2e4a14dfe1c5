/** SSE3's HADD, HSUB and ADDSUB, and SSE4.1's dot products: arithmetic across lanes. Flags: lanes.ts. */
import { firstBuffer, secondBuffer } from './buffers';
import { acceptLanes, arithmetic, oneLane } from './float';
import { clearLaneFlags, OP_ADD, OP_MUL, OP_SUB } from './lanes';

/** HADDPD HADDPS, HSUBPD HSUBPS: neighbours of dst, then neighbours of src. */
export function horizontal(subtract: bool, double: bool, dst: usize, src: usize): i32 {
  const a = v128.load(dst);
  const b = v128.load(src);
  v128.store(firstBuffer(), double ? v128.shuffle<i64>(a, b, 0, 2) : v128.shuffle<i32>(a, b, 0, 2, 4, 6));
  v128.store(secondBuffer(), double ? v128.shuffle<i64>(a, b, 1, 3) : v128.shuffle<i32>(a, b, 1, 3, 5, 7));
  if (!arithmetic(subtract ? 0x5c : 0x58, double ? 1 : 0, firstBuffer(), secondBuffer())) return 0;
  v128.store(dst, v128.load(firstBuffer()));
  return 1;
}

/** ADDSUBPD, ADDSUBPS: even lanes are subtracted, odd ones added. */
export function addSubtract(double: bool, dst: usize, src: usize): i32 {
  clearLaneFlags();
  if (double) {
    store<u64>(firstBuffer(), oneLane(OP_SUB, load<u64>(dst), load<u64>(src), true));
    store<u64>(firstBuffer(), oneLane(OP_ADD, load<u64>(dst, 8), load<u64>(src, 8), true), 8);
  } else {
    for (let i: usize = 0; i < 16; i += 4) {
      store<u32>(firstBuffer() + i, <u32>oneLane(i & 4 ? OP_ADD : OP_SUB, load<u32>(dst + i), load<u32>(src + i), false));
    }
  }
  if (!acceptLanes()) return 0;
  v128.store(dst, v128.load(firstBuffer()));
  return 1;
}

/**
 * DPPS (40), DPPD (41): products of the lanes that immediate bits 7:4 choose, their sum into the lanes of bits 3:0. Exceptions are taken
 * after the products, after the sums of two and after the last sum.
 */
export function dotProduct(double: bool, dst: usize, src: usize, immediate: u32): i32 {
  const size: usize = double ? 8 : 4;
  clearLaneFlags();
  for (let i: usize = 0, bit: u32 = 16; i < 16; i += size, bit <<= 1) {
    const wanted = (immediate & bit) != 0;
    if (double) store<u64>(firstBuffer() + i, wanted ? oneLane(OP_MUL, load<u64>(dst + i), load<u64>(src + i), true) : 0);
    else store<u32>(firstBuffer() + i, wanted ? <u32>oneLane(OP_MUL, load<u32>(dst + i), load<u32>(src + i), false) : 0);
  }
  if (!acceptLanes()) return 0;
  clearLaneFlags();
  let sum: u64;
  if (double) {
    sum = oneLane(OP_ADD, load<u64>(firstBuffer()), load<u64>(firstBuffer(), 8), true);
  } else {
    const low = oneLane(OP_ADD, load<u32>(firstBuffer()), load<u32>(firstBuffer(), 4), false);
    const high = oneLane(OP_ADD, load<u32>(firstBuffer(), 8), load<u32>(firstBuffer(), 12), false);
    if (!acceptLanes()) return 0;
    clearLaneFlags();
    sum = oneLane(OP_ADD, low & 0xffffffff, high & 0xffffffff, false);
  }
  if (!acceptLanes()) return 0;
  for (let i: usize = 0, bit: u32 = 1; i < 16; i += size, bit <<= 1) {
    const wanted = (immediate & bit) != 0;
    if (double) store<u64>(dst + i, wanted ? sum : 0);
    else store<u32>(dst + i, wanted ? <u32>sum : 0);
  }
  return 1;
}
