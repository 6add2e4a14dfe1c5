/** Finds the block of decoded code at RIP, and decodes it if necessary. code-pages.ts stores the blocks. */
import { ARENA_BASE, SEG_BASE, SEG_CS, SEG_LIMIT, VCPU_SCRATCH, VCPU_SEG, VCPU_SEG_SIZE, VCPU_STITCH } from '../abi/index';
import { arenaAge, describePage, descriptorOf, findCached, keep, makeRoom, nextBlockAt, noteDecoded } from './code-pages';
import {
  DECODE_TOO_LONG,
  decodedEnds,
  decodedLength,
  decodeInstruction,
  finishBlock,
  leaveOutIdle,
  recordsEnd,
  startDecoding,
} from './decode';
import { fetchPage, stripWriteTags } from './mmu';
import { BLOCK_LIMIT, blockLength, describeBlock, HEADER_SIZE, isCached, setBranchLink, VREG_PAGE } from './record';
import { cpu, PEND_DEBUG, pend, raise, VEC_GP } from './state';
import { exactCountBetween } from './stops';
import { ARM_CODE, armed, isCodeOffset, isWatchedCode, noteWatchedCode, stopsCode } from './watch';
import { blockKey, KEY_32, KEY_64, KEY_LIMITED, KEY_WATCHED } from './why';

/** A block that runs only once is in VCPU_SCRATCH and is shorter. */
const SCRATCH_LIMIT: i32 = 40;

let ageAtFind: u32 = 0;

/**
 * First record of the block at RIP, decoded if necessary; sets VREG_PAGE. 0: the fetch faulted or met a breakpoint, see `pending`. Between blocks,
 * with VCPU_LEFT exact: this stores the instruction count.
 */
export function findBlock(rip: u64): usize {
  const hva = fetchAt(rip);
  if (hva == 0) return 0;
  ageAtFind = arenaAge;
  let key = blockKey();
  let once = false;
  if (armed & ARM_CODE && isWatchedCode(linear)) {
    if (stopsCode(rip, linear)) return <usize>pend(PEND_DEBUG);
    key |= KEY_WATCHED;
    once = isCodeOffset(hva & 4095);
  }
  const block = findCached(hva, key);
  const fits = block != 0 && !(key & KEY_LIMITED && <u64>blockLength(block) > bytesLeft);
  return fits ? block : build(hva, key, BLOCK_LIMIT, block != 0 || once);
}

/** A block of at most `limit` instructions at RIP that runs once and is not stored. */
export function scratchBlock(rip: u64, limit: i32): usize {
  const hva = fetchAt(rip);
  if (hva == 0) return 0;
  return build(hva, blockKey(), limit, true);
}

let linear: u64 = 0;
/** Bytes from RIP up to the limit of CS. */
let bytesLeft: u64 = 0;
/** Gets the linear address of RIP in `linear`, sets VREG_PAGE, and returns the host address of the first byte; 0: fault. */
function fetchAt(rip: u64): usize {
  const key = blockKey();
  const cs = cpu + VCPU_SEG + SEG_CS * VCPU_SEG_SIZE;
  linear = rip;
  if (!(key & KEY_64)) {
    const limit = <u64>load<u32>(cs, SEG_LIMIT);
    if (rip > limit) return <usize>raise(VEC_GP, 0);
    bytesLeft = limit - rip + 1;
    linear = (load<u64>(cs, SEG_BASE) + rip) & 0xffffffff;
  }
  exactCountBetween();
  const hva = fetchPage(linear);
  if (hva != 0) store<u64>(cpu, rip - (linear & 4095), VREG_PAGE);
  return hva;
}

/**
 * Links the branch record at p, for its direction `taken`, to `target` in the same page of RIP. Not in 16-bit code, where IP wraps inside a page if
 * CS is not page-aligned, and not in blocks with a CS limit.
 */
export function linkBlocks(p: usize, taken: i32, target: usize): void {
  const key = blockKey();
  if (p < <usize>ARENA_BASE || ageAtFind != arenaAge || !(key & (KEY_64 | KEY_32)) || key & KEY_LIMITED) return;
  if (isCached(target)) setBranchLink(p, taken, target);
}

/** Copies the last `have` bytes of a page and the first of the next (0: none) to VCPU_STITCH, zero-padded; returns its address. */
function stitch(hva: usize, have: usize, next: usize): usize {
  const at = cpu + VCPU_STITCH;
  memory.fill(at, 0, 32);
  memory.copy(at, hva, have);
  if (next != 0) memory.copy(at + have, next, 16);
  return at;
}

/** Up to `limit` instructions from `hva` on, as far as CS reaches; `once`: in SCRATCH. */
function build(hva: usize, key: u32, limit: i32, once: bool): usize {
  makeRoom();
  // The descriptor comes first: it may take arena room, and the scan for write tags must precede the decoding.
  let descriptor = descriptorOf(hva >> 12);
  if (descriptor == 0) {
    descriptor = describePage(hva >> 12);
    stripWriteTags(<u32>(hva >> 12));
  }
  if (once) limit = min(limit, SCRATCH_LIMIT);
  const header: usize = once ? cpu + VCPU_SCRATCH : nextBlockAt();
  const first = header + HEADER_SIZE;
  const start = hva & 4095;
  let off = start;
  let count: i32 = 0;
  if (key & KEY_WATCHED && !once) noteWatchedCode(hva >> 12);
  startDecoding(first, key);
  while (count < limit && off < 4096) {
    if (key & KEY_WATCHED && count > 0 && isCodeOffset(off)) break;
    const at = (hva & ~(<usize>4095)) + off;
    const room: usize = 4096 - off;
    // Near the page's end each instruction is a block of its own, so that none precedes one that turns out to cross.
    const tail = room < 16;
    if (tail && count > 0) break;
    let status = decodeInstruction(tail ? stitch(at, room, 0) : at, <u32>off, count);
    if (tail && (<usize>decodedLength > room || status == DECODE_TOO_LONG)) {
      // An instruction on two pages is the only one of its block and is decoded each time, so nothing has to watch the second page.
      if (key & KEY_LIMITED && <u64>room >= bytesLeft) return <usize>raise(VEC_GP, 0);
      const next = fetchPage(key & KEY_64 ? linear + <u64>room : (linear + <u64>room) & 0xffffffff);
      if (next == 0) return 0;
      const scratch = cpu + VCPU_SCRATCH;
      startDecoding(scratch + HEADER_SIZE, key);
      status = decodeInstruction(stitch(at, room, next), <u32>off, 0);
      if (key & KEY_LIMITED && <u64>decodedLength > bytesLeft) return <usize>raise(VEC_GP, 0);
      finishBlock(scratch + HEADER_SIZE, 1, <u32>off + decodedLength, decodedEnds);
      return describeBlock(scratch, hva, key, 1, <u32>decodedLength);
    }
    leaveOutIdle(first);
    count++;
    off += <usize>decodedLength;
    // Every byte of an instruction must be within the limit.
    if (key & KEY_LIMITED && <u64>(off - start) > bytesLeft) {
      return count > 1 ? build(hva, key, count - 1, true) : <usize>raise(VEC_GP, 0);
    }
    if (decodedEnds) break;
  }
  finishBlock(first, count, <u32>off, decodedEnds);
  describeBlock(header, hva, key, count, <u32>(off - start));
  noteDecoded(descriptor, start, off > 4096 ? 4095 : off - 1);
  if (!once) keep(first, descriptor, hva, recordsEnd);
  return first;
}
