/**
 * Storage of decoded code: the arena, the hash that finds blocks, and a descriptor for each host page with decoded code. Blocks are keyed by host
 * address and mode, so they survive a move of their memslot and serve every virtual alias. A page with decoded code has no write tags in any TLB; a
 * store into one of its 64-byte granules drops the blocks that were made of it (codeWritten). Blocks are linked only within their page, so from
 * outside only the hash points to them.
 */
import {
  ARENA_BASE,
  ARENA_END,
  CODE_PAGES,
  CODE_PAGES_SIZE,
  HASH,
  HASH_SIZE,
  STAT_BLOCKS_DECODED,
  STAT_CODE_INVALIDATED,
  VCPU_STATS,
} from '../abi/index';
import { forgetDropped } from './block-ends';
import { jitDropped } from './imports';
import {
  BLOCK_LIMIT,
  blockHva,
  blockLength,
  bucketLink,
  HEADER_SIZE,
  isBlockAt,
  nextInBucket,
  nextInPage,
  pageLink,
  RECORD_SIZE,
  setBlockChain,
  setCached,
} from './record';
import { forgetCalls } from './returns';
import { cpu } from './state';
import { stopBehind } from './stops';

/** Page descriptor, 32 bytes in the arena: granules with decoded bytes, first block of the page. */
const D_GRANULES: usize = 0; // u64
const D_BLOCKS: usize = 8; // u32 first record of the first block
const D_NEXT_FREE: usize = 12; // u32
/** Samples that found the guest in this page, and whether compiled regions contain some of it. */
const D_HEAT: usize = 16; // u32
const D_WATCHED: usize = 20; // u32
/** At this offset from the heat: how many samples had been taken in all when this page got its first. */
export const SINCE: usize = 8; // u32
const DESCRIPTOR_SIZE: usize = 32;
/** Most bytes of one block: what aligns it, header, two records per instruction, one record at the end. */
const BLOCK_ROOM: usize = <usize>64 + <usize>HEADER_SIZE + (<usize>BLOCK_LIMIT * 3 + 2) * <usize>RECORD_SIZE;

/** Where the free part of the arena begins. */
export let arenaTop: usize = ARENA_BASE;
let freeDescriptor: usize = 0;
/** Counts arena flushes: a record pointer from before a flush is stale. */
export let arenaAge: u32 = 0;

@inline
function bump(stat: usize): void {
  store<u64>(cpu + stat, load<u64>(cpu + stat, VCPU_STATS) + 1, VCPU_STATS);
}

@inline
function bucket(hva: usize): usize {
  return <usize>HASH + (((hva ^ (hva >> 15)) & (HASH_SIZE - 1)) << 2);
}

/** The descriptor of a host page (hva / 4096); 0: it has no decoded code. */
@inline
export function descriptorOf(page: usize): usize {
  return <usize>load<u32>(<usize>CODE_PAGES + (page << 2));
}

/** Drops everything. Only between blocks. */
export function dropAllCode(): void {
  jitDropped(-1);
  // Without code the tables are zero still. The host has not provided their memory yet, and filling it would make it do so.
  if (arenaTop != ARENA_BASE) {
    memory.fill(HASH, 0, HASH_SIZE << 2);
    memory.fill(CODE_PAGES, 0, CODE_PAGES_SIZE);
  }
  arenaTop = ARENA_BASE;
  freeDescriptor = 0;
  arenaAge++;
  forgetCalls();
  stopBehind();
}

/** Makes room for one more block and a descriptor; drops everything if necessary. Only between blocks. */
export function makeRoom(): void {
  if (arenaTop + BLOCK_ROOM + 2 * DESCRIPTOR_SIZE > <usize>ARENA_END) dropAllCode();
}

/**
 * Drops the blocks of a page that were decoded from these granules, and links of other blocks to them. The running block ends after its current
 * instruction, whether it was dropped or not.
 */
function dropGranules(page: usize, descriptor: usize, written: u64): void {
  let left: u64 = 0;
  let link = descriptor + D_BLOCKS;
  for (let block = <usize>load<u32>(link); block != 0; block = <usize>load<u32>(link)) {
    const offset = blockHva(block) & 4095;
    const made = granules(offset, min(offset + <usize>blockLength(block) - 1, 4095));
    if (made & written) {
      unlinkBlock(block);
      store<u32>(link, <u32>nextInPage(block));
    } else {
      left |= made;
      link = pageLink(block);
    }
  }
  const watched = load<u32>(descriptor, D_WATCHED);
  if (left == 0) {
    store<u32>(<usize>CODE_PAGES + (page << 2), 0);
    store<u32>(descriptor, <u32>freeDescriptor, D_NEXT_FREE);
    freeDescriptor = descriptor;
  } else {
    store<u64>(descriptor, left, D_GRANULES);
    for (let block = <usize>load<u32>(descriptor, D_BLOCKS); block != 0; block = nextInPage(block)) forgetDropped(block);
  }
  stopBehind();
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
    const descriptor = descriptorOf(page);
    if (descriptor != 0) {
      const written = load<u64>(descriptor, D_GRANULES) & granules(at & 4095, (stop - 1) & 4095);
      if (written) dropGranules(page, descriptor, written);
    }
    at = stop;
    if (at == 0) return;
  }
}

/** Where the next block of the arena begins: with its first record in the same line of the host's caches. */
@inline
export function nextBlockAt(): usize {
  return (arenaTop + 63) & ~(<usize>63);
}

/** A descriptor for a page that has none. No TLB may hold a write tag for the page. */
export function describePage(page: usize): usize {
  let descriptor = freeDescriptor;
  if (freeDescriptor != 0) {
    freeDescriptor = <usize>load<u32>(descriptor, D_NEXT_FREE);
  } else {
    descriptor = arenaTop;
    arenaTop += DESCRIPTOR_SIZE;
  }
  memory.fill(descriptor, 0, DESCRIPTOR_SIZE);
  store<u32>(<usize>CODE_PAGES + (page << 2), <u32>descriptor);
  return descriptor;
}

/** The counter of samples of the page that the block lies in. */
export function heatOf(block: usize): usize {
  return descriptorOf(blockHva(block) >> 12) + D_HEAT;
}

/** Has `jitDropped` called when the page's code is dropped. 0: it has none. */
export function watchPage(page: usize): i32 {
  const descriptor = descriptorOf(page);
  if (descriptor == 0) return 0;
  store<u32>(descriptor, 1, D_WATCHED);
  return 1;
}

/** First block of a host page that was decoded, or 0. */
export function firstBlock(page: usize): usize {
  const descriptor = descriptorOf(page);
  return descriptor == 0 ? 0 : <usize>load<u32>(descriptor, D_BLOCKS);
}

/** The block decoded at this host address for this key, or 0. */
export function findCached(hva: usize, key: u32): usize {
  let block = <usize>load<u32>(bucket(hva));
  while (block != 0) {
    if (isBlockAt(block, hva, key)) return block;
    block = nextInBucket(block);
  }
  return 0;
}

/** Takes room in the arena, which is kept until everything is dropped; 0: there is none without dropping everything. */
export function claimArena(size: usize): usize {
  if (arenaTop + size + BLOCK_ROOM + 2 * DESCRIPTOR_SIZE > <usize>ARENA_END) return 0;
  const at = arenaTop;
  arenaTop += size;
  return at;
}

/** Notes that a block was decoded from the bytes [first, last] (offsets in the page). */
export function noteDecoded(descriptor: usize, first: usize, last: usize): void {
  store<u64>(descriptor, load<u64>(descriptor, D_GRANULES) | granules(first, last), D_GRANULES);
  bump(STAT_BLOCKS_DECODED);
}

/** Enters a block that was decoded at `nextBlockAt`; its records end at `end`. */
export function keep(block: usize, descriptor: usize, hva: usize, end: usize): void {
  arenaTop = end;
  const cell = bucket(hva);
  setBlockChain(block, load<u32>(cell), load<u32>(descriptor, D_BLOCKS));
  setCached(block, true);
  store<u32>(cell, <u32>block);
  store<u32>(descriptor, <u32>block, D_BLOCKS);
}
