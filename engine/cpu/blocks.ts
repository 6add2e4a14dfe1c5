/**
 * The cache of decoded code. Blocks are keyed by host address and mode, so they survive a move of their memslot and serve every
 * virtual alias. A host page with decoded code has a descriptor in CODE_PAGES and no write tags in any TLB; a store into one of its
 * 64-byte granules that hold decoded bytes drops all blocks of the page. Blocks are chained only inside their page, so nothing outside
 * ever points to a dropped block but the hash.
 */
import {
  ARENA_BASE,
  ARENA_END,
  CODE_PAGES,
  CODE_PAGES_SIZE,
  HASH,
  HASH_SIZE,
  SEG_BASE,
  SEG_CS,
  SEG_LIMIT,
  STAT_BLOCKS_DECODED,
  STAT_CODE_INVALIDATED,
  VCPU_SCRATCH,
  VCPU_SEG,
  VCPU_SEG_SIZE,
  VCPU_STATS,
  VCPU_STITCH,
} from '../abi/index';
import { DECODE_TOO_LONG, decodedEnds, decodedLength, decodeInstruction, finishBlock, recordsEnd, startDecoding } from './decode';
import { jitDropped } from './imports';
import { exactCountBetween } from './mem';
import { fetchPage, stripWriteTags } from './mmu';
import {
  BLOCK_LIMIT,
  blockHva,
  blockLength,
  bucketLink,
  describeBlock,
  HEADER_SIZE,
  isBlockAt,
  isCached,
  nextInBucket,
  nextInPage,
  RECORD_SIZE,
  setBlockChain,
  setBranchLink,
  setCached,
  VREG_PAGE,
} from './record';
import { cpu, PEND_DEBUG, pend, raise, VEC_GP } from './state';
import { ARM_CODE, armed, isCodeOffset, isWatchedCode, noteWatchedCode, stopsCode } from './watch';
import { blockKey, KEY_32, KEY_64, KEY_LIMITED, KEY_WATCHED } from './why';

/** Page descriptor, 32 bytes in the arena: granules with decoded bytes, first block of the page. */
const D_GRANULES: usize = 0; // u64
const D_BLOCKS: usize = 8; // u32 first record of the first block
const D_NEXT_FREE: usize = 12; // u32
/** Samples that found the guest in this page, and whether compiled regions contain some of it. */
const D_HEAT: usize = 16; // u32
const D_WATCHED: usize = 20; // u32
const DESCRIPTOR_SIZE: usize = 32;
/** Room that one block may need: header, two records per instruction, one record at the end. */
const BLOCK_ROOM: usize = <usize>HEADER_SIZE + (<usize>BLOCK_LIMIT * 3 + 2) * <usize>RECORD_SIZE;
/** A block that runs once lies in VCPU_SCRATCH and is shorter. */
const SCRATCH_LIMIT: i32 = 40;

let arenaTop: usize = ARENA_BASE;
let freeDescriptor: usize = 0;
/** Counts dropped pages; the interpreter compares it around stores. */
export let droppedPages: u32 = 0;
/** Counts arena flushes: a record pointer kept across one is stale. */
let arenaAge: u32 = 0;
let ageAtFind: u32 = 0;

@inline
function bump(stat: usize): void {
  store<u64>(cpu + stat, load<u64>(cpu + stat, VCPU_STATS) + 1, VCPU_STATS);
}
@inline
function bucket(hva: usize): usize {
  return <usize>HASH + (((hva ^ (hva >> 15)) & (HASH_SIZE - 1)) << 2);
}

/** Drops everything. Only between blocks. */
export function dropAllCode(): void {
  jitDropped(-1);
  memory.fill(HASH, 0, HASH_SIZE << 2);
  memory.fill(CODE_PAGES, 0, CODE_PAGES_SIZE);
  arenaTop = ARENA_BASE;
  freeDescriptor = 0;
  arenaAge++;
  droppedPages++;
}

function dropPage(page: usize): void {
  const cell = <usize>CODE_PAGES + (page << 2);
  const descriptor = <usize>load<u32>(cell);
  let block = <usize>load<u32>(descriptor, D_BLOCKS);
  while (block != 0) {
    unlinkBlock(block);
    block = nextInPage(block);
  }
  store<u32>(cell, 0);
  const watched = load<u32>(descriptor, D_WATCHED);
  store<u32>(descriptor, <u32>freeDescriptor, D_NEXT_FREE);
  freeDescriptor = descriptor;
  droppedPages++;
  if (watched) jitDropped(<i32>page);
  bump(STAT_CODE_INVALIDATED);
}

function unlinkBlock(block: usize): void {
  setCached(block, false);
  let link = bucket(blockHva(block));
  while (<usize>load<u32>(link) != block) link = bucketLink(<usize>load<u32>(link));
  store<u32>(link, <u32>nextInBucket(block));
}

/** Bits of the granules that [first, last] (offsets in a page) touch. */
@inline
function granules(first: usize, last: usize): u64 {
  const low = first >> 6;
  const high = last >> 6;
  return (<u64>-1 >> <u64>(63 - high)) & ((<u64>-1) << (<u64>low));
}

/** Host bytes [hva, hva + size) are about to be written, or were: drops decoded code that came from them. */
export function codeWritten(hva: usize, size: i32): void {
  let at = hva;
  const end = hva + <usize>size;
  while (at < end) {
    const page = at >> 12;
    const pageEnd = (page + 1) << 12;
    const stop = end < pageEnd ? end : pageEnd;
    const descriptor = <usize>load<u32>(<usize>CODE_PAGES + (page << 2));
    if (descriptor != 0 && load<u64>(descriptor, D_GRANULES) & granules(at & 4095, (stop - 1) & 4095)) dropPage(page);
    at = stop;
    if (at == 0) return;
  }
}

function descriptorOf(page: usize): usize {
  const cell = <usize>CODE_PAGES + (page << 2);
  let descriptor = <usize>load<u32>(cell);
  if (descriptor != 0) return descriptor;
  if (freeDescriptor != 0) {
    descriptor = freeDescriptor;
    freeDescriptor = <usize>load<u32>(descriptor, D_NEXT_FREE);
  } else {
    descriptor = arenaTop;
    arenaTop += DESCRIPTOR_SIZE;
  }
  memory.fill(descriptor, 0, DESCRIPTOR_SIZE);
  store<u32>(cell, <u32>descriptor);
  stripWriteTags(<u32>page);
  return descriptor;
}

/** The counter of samples of the page that the block lies in. */
export function heatOf(block: usize): usize {
  return <usize>load<u32>(<usize>CODE_PAGES + ((blockHva(block) >> 12) << 2)) + D_HEAT;
}

/** `jitDropped` shall be called when the page's code goes. 0: it has none. */
export function watchPage(page: usize): i32 {
  const descriptor = <usize>load<u32>(<usize>CODE_PAGES + (page << 2));
  if (descriptor == 0) return 0;
  store<u32>(descriptor, 1, D_WATCHED);
  return 1;
}

/** First block of a host page that was decoded, or 0. */
export function firstBlock(page: usize): usize {
  const descriptor = <usize>load<u32>(<usize>CODE_PAGES + (page << 2));
  return descriptor == 0 ? 0 : <usize>load<u32>(descriptor, D_BLOCKS);
}

/** The block at this host address for this key, if it was decoded already; 0: it was not. */
export function findCached(hva: usize, key: u32): usize {
  let block = <usize>load<u32>(bucket(hva));
  while (block != 0) {
    if (isBlockAt(block, hva, key)) return block;
    block = nextInBucket(block);
  }
  return 0;
}

/** Room in the arena, until everything is dropped; 0: not without dropping everything. */
export function claimArena(size: usize): usize {
  if (arenaTop + size + BLOCK_ROOM + 2 * DESCRIPTOR_SIZE > <usize>ARENA_END) return 0;
  const at = arenaTop;
  arenaTop += size;
  return at;
}

/**
 * First record of the block at RIP, decoded if need be; sets VREG_PAGE. 0: the fetch faulted, or a breakpoint is met, see `pending`.
 * The caller has stored nothing; the instruction count must be exact between blocks.
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

/** A block of at most `limit` instructions at RIP that runs once and is not kept. */
export function scratchBlock(rip: u64, limit: i32): usize {
  const hva = fetchAt(rip);
  if (hva == 0) return 0;
  return build(hva, blockKey(), limit, true);
}

let linear: u64 = 0;
/** Bytes from RIP up to the limit of CS. */
let bytesLeft: u64 = 0;
/** Linear address of RIP into `linear`, VREG_PAGE, and the host address of its first byte; 0: fault. */
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
 * Remembers in the branch record at p that its way `taken` leads to `target`, which lies in the same page of RIP. Not in 16-bit code,
 * where IP wraps inside a page when CS is not page-aligned, and not where each block has a limit to respect.
 */
export function linkBlocks(p: usize, taken: i32, target: usize): void {
  const key = blockKey();
  if (p < <usize>ARENA_BASE || ageAtFind != arenaAge || !(key & (KEY_64 | KEY_32)) || key & KEY_LIMITED) return;
  if (isCached(target)) setBranchLink(p, taken, target);
}

/** Copies the last `have` bytes of a page and the first of the next (0: none) to VCPU_STITCH, zero-padded; where that is. */
function stitch(hva: usize, have: usize, next: usize): usize {
  const at = cpu + VCPU_STITCH;
  memory.fill(at, 0, 32);
  memory.copy(at, hva, have);
  if (next != 0) memory.copy(at + have, next, 16);
  return at;
}

/** Up to `limit` instructions from `hva` on, as far as CS reaches; `once`: in SCRATCH. */
function build(hva: usize, key: u32, limit: i32, once: bool): usize {
  if (arenaTop + BLOCK_ROOM + 2 * DESCRIPTOR_SIZE > <usize>ARENA_END) dropAllCode();
  // The descriptor comes first: it may take arena room, and the scan for write tags must precede the decoding.
  const descriptor = descriptorOf(hva >> 12);
  if (once) limit = min(limit, SCRATCH_LIMIT);
  const header: usize = once ? cpu + VCPU_SCRATCH : arenaTop;
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
    // Near the page's end an instruction stands alone, so that one that turns out to cross has nothing before it in its block.
    const tail = room < 16;
    if (tail && count > 0) break;
    let status = decodeInstruction(tail ? stitch(at, room, 0) : at, <u32>off, count);
    if (tail && (<usize>decodedLength > room || status == DECODE_TOO_LONG)) {
      // The only instruction of its block, made of two pages: decoded anew each time, so nothing has to watch the second page.
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
    count++;
    off += <usize>decodedLength;
    // Every byte of an instruction has to lie inside the limit.
    if (key & KEY_LIMITED && <u64>(off - start) > bytesLeft) {
      return count > 1 ? build(hva, key, count - 1, true) : <usize>raise(VEC_GP, 0);
    }
    if (decodedEnds) break;
  }
  finishBlock(first, count, <u32>off, decodedEnds);
  describeBlock(header, hva, key, count, <u32>(off - start));
  store<u64>(descriptor, load<u64>(descriptor, D_GRANULES) | granules(start, off > 4096 ? 4095 : off - 1), D_GRANULES);
  if (!once) keep(first, descriptor, hva);
  bump(STAT_BLOCKS_DECODED);
  return first;
}

function keep(block: usize, descriptor: usize, hva: usize): void {
  arenaTop = recordsEnd;
  const cell = bucket(hva);
  setBlockChain(block, load<u32>(cell), load<u32>(descriptor, D_BLOCKS));
  setCached(block, true);
  store<u32>(cell, <u32>block);
  store<u32>(descriptor, <u32>block, D_BLOCKS);
}
