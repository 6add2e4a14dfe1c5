/**
 * The core's side of compiled regions (engine/jit). A block at which a region can be entered has an entry descriptor, and the handler `region` in
 * place of its first record; a copy of the whole block, its twin, has the interpreter's records. A region runs whole instructions only: it exits
 * before one that it cannot finish, with RIP, registers, flags and LEFT exact, so an exit is a near jump to where it stopped. Inside a region only
 * the out-of-line handlers that it calls can fault or request a stop.
 */
import {
  JIT_EXITS,
  JIT_LINKED,
  JIT_RAN,
  JIT_REASONS,
  VCPU_FAR,
  VCPU_ICOUNT,
  VCPU_LEFT,
  VCPU_PROBING,
  VCPU_RIP,
  VCPU_STOP_AT,
} from '../abi/index';
import { COVERED, E_TWIN, endOf } from './block-ends';
import { claimArena, findCached, firstBlock, heatOf, SINCE, watchPage } from './code-pages';
import { lastTarget } from './far-targets';
import { arithmeticFlags, carry, condition, F_CF, F_OF, setArithmeticFlags } from './flags';
import { cold } from './generated/cold';
import { OP_REGION } from './generated/ops';
import { mayGoOn } from './going-on';
import { jitHot } from './imports';
import { execHost, fetchPage, quietFill } from './mmu';
import { tlbBase } from './mmu-mode';
import {
  BLOCK_LIMIT,
  blockCount,
  blockHva,
  entryOf,
  HEADER_SIZE,
  isBlockAt,
  isCached,
  nextInPage,
  opOf,
  setCached,
  setEntry,
  setLastTarget,
  setOp,
  VREG_PAGE,
} from './record';
import { storeLazyFlags } from './region-flags';
import { clearPending, cpu, vcpuIndex } from './state';
import { behind, exactCountBetween, stopsBehind } from './stops';
import { fillWindow } from './tlb/window-fill';
import { ARM_CODE, armed, isWatchedCode } from './watch';
import { blockKey, KEY_64, KEY_GUEST } from './why';

/** Entry descriptor. */
const E_FUNCTION: usize = 0; // u32 index in the table of functions
const E_NUMBER: usize = 4; // u32 which entry of the region
const E_DELTA: usize = 8; // i32 linear distance of the block's page from the region's first page
const E_PAGE_BIT: usize = 12; // u32 bit of the block's page among the region's
const E_USES: usize = 20; // u32 times entered
const E_RAN: usize = 24; // u32 instructions run in the last E_TRIALS entries
const E_TRIALS: usize = 28; // u32
const ENTRY_SIZE: usize = 32;
/** Entries between two checks of an entry's average length: a short one costs more than it gains. */
const TRIALS: u32 = 512;
const WORTHWHILE: u32 = 12;
/** An entry that ends its block out of line counts as this many: the interpreter takes longer for that. */
const END_WORTH: i32 = 8;
let ended: i32 = 0;
/** The far transfer by which the last region was left; 0: it was left otherwise. */
let far: usize = 0;

/** Results of `enterRegion`. Execution continues at RIP. */
export const REGION_JUMP: i32 = 0;
/** The same, but the interpreter must run the instruction there, even if a region begins with it. */
export const REGION_INTERPRET: i32 = 1;
/** The out-of-line handler of the record `leftAt` could not complete. */
export const REGION_FAULT: i32 = 2;
/** It requested a stop after the instruction: `leftAt` is the record that follows. */
export const REGION_STOP: i32 = 3;
/** The instruction at `leftAt`, which ends its block, is done, and something is due before the next. */
export const REGION_LEAVE: i32 = 4;

/** Bits of a region's result, beside the exit reason. */
const INTERPRET: i32 = 0x10000;
const FAULT: i32 = 0x20000;
const STOP: i32 = 0x40000;
/** A window did not hold an access, which VCPU_MISS describes. */
const MISSED: i32 = 0x80000;
/** The interpreter would have left after this instruction. */
const LEAVE: i32 = 0x100000;
/** Run the instruction whose record is in VCPU_FAR: it ends its block and jumps elsewhere. */
const FAR: i32 = 0x200000;
/** It jumped out, and execution can continue there at once. */
const JUMPED: i32 = 0xf00;

export let leftAt: usize = 0;

/** Instructions between two samples of RIP, minus a random part; 0: no JIT. */
let quantum: i32 = 0;
/** Instructions until the next sample. It counts down across entries of the interpreter. */
let due: i32 = 0;
let threshold: u32 = 0;
/** Samples taken. */
let samples: u32 = 0;
/** A page with less than one in SHARE of the samples needs LUKEWARM times as many as a page that has them all. */
const SHARE: u32 = 8;
const LUKEWARM: u32 = 6;
let jitter: u32 = 1;

/** Switches compilation on (sample: instructions between samples) or off (0). A page is hot after `samples` of them. */
export function jitSetup(sample: i32, samples: i32): void {
  quantum = sample;
  threshold = samples;
}

/** Instructions until the next sample, `left` at most. */
export function nextSample(left: i32): i32 {
  if (quantum == 0) return left;
  if (due <= 0) {
    jitter = jitter * 1664525 + 1013904223;
    due = quantum - <i32>((jitter >> 8) % <u32>((quantum >> 1) | 1));
  }
  return due < left ? due : left;
}
/** This many instructions have run. Is a sample due at the next block, which did not fit? */
export function sampleDue(ran: i32): bool {
  due -= ran;
  return due < BLOCK_LIMIT;
}

/** Is code of this key compiled? Plain 64-bit code is, a guest's under SVM too. */
@inline
function isCompiled(key: u32): bool {
  return (key & ~(<u32>KEY_GUEST)) == KEY_64;
}

/** Samples that make a page with this heat hot. */
function wantedAt(heat: usize): u32 {
  return min(threshold * LUKEWARM, threshold + (samples - load<u32>(heat, SINCE)) / SHARE);
}

/**
 * A sample fell on this block: compiles it if its page is hot, unless alignment is checked. The smaller the page's share of all samples since its
 * first one, the more samples it needs: a region costs the same to compile whether it runs often or seldom.
 */
export function sampled(block: usize): void {
  if (quantum == 0) return;
  due = 0;
  samples++;
  if (!isCompiled(blockKey()) || entryOf(block) != 0 || !isCached(block) || !isBlockAt(block, blockHva(block), blockKey())) return;
  const heat = heatOf(block);
  const now = load<u32>(heat) + 1;
  if (now == 1) store<u32>(heat, samples, SINCE);
  const wanted = wantedAt(heat);
  store<u32>(heat, now < wanted ? now : 0);
  if (now < wanted) return;
  const page = load<u64>(cpu, VREG_PAGE);
  jitHot(vcpuIndex(), <i32>block, <i32>(<u32>page), <i32>(<u32>(page >> 32)));
}

/**
 * Runs the region whose entry is the block at p, and those that it jumps into: registers are exact between them. Afterwards the privilege, and with
 * it the TLB, or the mode may have changed.
 */
export function enterRegion(p: usize): i32 {
  const all = load<i32>(cpu, VCPU_LEFT) + blockCount(p);
  let result: i32 = 0;
  while (true) {
    const entry = entryOf(p);
    store<u32>(entry, load<u32>(entry, E_USES) + 1, E_USES);
    const left = load<i32>(cpu, VCPU_LEFT) + blockCount(p);
    const page = load<u64>(cpu, VREG_PAGE) - <u64>(<i64>load<i32>(entry, E_DELTA));
    ended = 0;
    far = 0;
    result = call_indirect<i32>(
      load<u32>(entry, E_FUNCTION),
      <i32>cpu,
      load<i32>(entry, E_NUMBER),
      left,
      page,
      <i32>tlbBase,
      load<i32>(entry, E_PAGE_BIT),
    );
    if (result & FAR) result = goFar(result & (JIT_REASONS - 1));
    if (!(result & MISSED)) tryOut(p, entry, left - load<i32>(cpu, VCPU_LEFT) + ended * END_WORTH);
    if (result != JUMPED) break;
    p = nextEntry(load<u64>(cpu, VCPU_RIP));
    if (p == 0) break;
    store<u32>(JIT_LINKED, load<u32>(JIT_LINKED) + 1);
  }
  store<u64>(JIT_RAN, load<u64>(JIT_RAN) + <u64>(all - load<i32>(cpu, VCPU_LEFT)));
  const counter = <usize>JIT_EXITS + ((<usize>(result & (JIT_REASONS - 1))) << 2);
  store<u32>(counter, load<u32>(counter) + 1);
  // Fills the window that missed, so that the next entry gets further.
  if (result & MISSED) fillWindow();
  if (result & INTERPRET) return REGION_INTERPRET;
  if (result & FAULT) return REGION_FAULT;
  if (result & LEAVE) return REGION_LEAVE;
  return result & STOP ? REGION_STOP : REGION_JUMP;
}

/**
 * Runs the out-of-line instruction at VCPU_FAR, with which a region ends. Returns what the region would have returned had it run the instruction:
 * JUMPED, or an exit with this reason. The vCPU's record, LEFT and VREG_PAGE are exact.
 */
function goFar(reason: i32): i32 {
  const p = <usize>load<u32>(cpu, VCPU_FAR);
  const record = interpreted(p);
  const done = cold(record);
  if (done == 0) {
    leftAt = p;
    return FAULT | reason;
  }
  ended++;
  far = record;
  if (!stopsBehind() && mayGoOn(record)) return JUMPED;
  leftAt = record;
  return LEAVE | reason;
}

/**
 * A region left by a jump to RIP. Returns the entry there, with the instructions of its first block taken from the slice; 0: the interpreter must
 * find the block. The lookup is the interpreter's: through the TLB, which must have the page.
 */
function nextEntry(rip: u64): usize {
  let block = far != 0 ? lastTarget(far, rip) : 0;
  if (block == 0) {
    const hva = execHost(rip);
    if (hva == 0) return 0;
    block = findCached(hva, blockKey());
    if (block == 0) return 0;
    if (far != 0) setLastTarget(far, block);
    store<u64>(cpu, rip & ~(<u64>4095), VREG_PAGE);
  }
  if (opOf(block) != OP_REGION) return 0;
  const left = load<i32>(cpu, VCPU_LEFT) - blockCount(block);
  if (left < 0) return 0;
  store<i32>(cpu, left, VCPU_LEFT);
  return block;
}

/** An entry at p ran this many instructions. If entries are too short, the interpreter gets the block back. */
function tryOut(p: usize, entry: usize, ran: i32): void {
  const sum = load<u32>(entry, E_RAN) + <u32>ran;
  const trials = load<u32>(entry, E_TRIALS) + 1;
  store<u32>(entry, trials < TRIALS ? sum : 0, E_RAN);
  store<u32>(entry, trials < TRIALS ? trials : 0, E_TRIALS);
  if (trials == TRIALS && sum < TRIALS * WORTHWHILE && opOf(p) == OP_REGION) setOp(p, opOf(<usize>load<u32>(entry, E_TWIN)));
}

/** First record that the interpreter runs for the block at p. */
export function interpreted(p: usize): usize {
  return opOf(p) == OP_REGION ? <usize>load<u32>(entryOf(p), E_TWIN) : p;
}

// For compiled code

/** Can the access be retried now? Enters va's page into the TLB if a walk is the only side effect. kind: size | write << 8. */
export function jitFill(va: u64, kind: i32, remaining: i32): i32 {
  store<u64>(cpu, load<u64>(cpu, VCPU_STOP_AT) - <u64>remaining, VCPU_ICOUNT);
  store<u32>(cpu, 1, VCPU_PROBING);
  const done = quietFill(va, kind & 255, kind >> 8 != 0);
  store<u32>(cpu, 0, VCPU_PROBING);
  return done;
}

/** Is va, the start of a page, executed from this host page now? Works like a fetch, but leaves faults to the interpreter. */
export function jitFetch(va: u64, hostPage: i32, left: i32): i32 {
  store<i32>(cpu, left, VCPU_LEFT);
  exactCountBetween();
  const hva = fetchPage(va);
  if (hva == 0) clearPending();
  // A page with breakpoints runs only in the interpreter.
  return i32(hva >> 12 == <usize>hostPage && !(armed & ARM_CODE && isWatchedCode(va)));
}

/** Runs the out-of-line instruction at p; 1: done, otherwise what the region must return. The vCPU's record and LEFT are exact. */
export function jitCold(p: usize): i32 {
  // Another region may have made the block an entry in the meantime.
  const record = interpreted(p);
  const done = cold(record);
  if (done == 1 && !stopsBehind()) return 1;
  leftAt = done == 1 ? behind(record) : p;
  return done == 1 ? STOP | 2 : FAULT | 2;
}

/**
 * Runs the instruction at p, which ends its block out of line. 1: the region continues at `next`, which is still executed from `hostPage` (0: that is
 * outside). Otherwise what the region must return; execution continues at RIP. The vCPU's record, LEFT and VREG_PAGE are exact.
 */
export function jitEnd(p: usize, next: u64, hostPage: i32): i32 {
  const record = interpreted(p);
  const key = blockKey();
  const table = tlbBase;
  const done = cold(record);
  if (done == 0) {
    leftAt = p;
    return FAULT;
  }
  ended++;
  if (stopsBehind() || (done == 2 && !mayGoOn(record))) {
    leftAt = record;
    return LEAVE;
  }
  // Its translation or mode may have changed.
  const same = load<u64>(cpu, VCPU_RIP) == next && key == blockKey() && table == tlbBase && hostPage != 0;
  return same && execHost(next) >> 12 == <usize>hostPage ? 1 : JUMPED;
}

export function jitFlags(word: i32, first: u64, second: u64, result: u64): void {
  storeLazyFlags(word, first, second, result);
}
export function jitCarry(): i32 {
  return <i32>carry();
}
export function jitCondition(code: i32): i32 {
  return <i32>condition(code);
}
/** CF and OF of a rotation with this result; the other flags are kept. word: 1 left, 2 right | (bits - 1) << 8. */
export function jitRotated(word: i32, result: u64): void {
  const top = <u64>(word >> 8);
  const high = <u32>(result >> top) & 1;
  const low = <u32>result & 1;
  const cf = word & 1 ? low : high;
  const over = high ^ (word & 1 ? low : <u32>(result >> (top - 1)) & 1);
  setArithmeticFlags((arithmeticFlags() & ~(F_CF | F_OF)) | cf | (over << 11));
}

// For the compiler

/** The decoded block at this host address for the key of the code that runs (`jitHot` calls it); 0: none. */
export function jitBlock(hva: usize): usize {
  return findCached(hva, blockKey());
}
export function jitRecords(block: usize): usize {
  return interpreted(block);
}
/** Host address from which va is executed, if the TLB has it; else 0. */
export function jitExec(low: u32, high: u32): usize {
  return execHost(<u64>low | ((<u64>high) << 32));
}
/** First decoded block of a host page (hva / 4096); 0: none. */
export function jitFirstBlock(hostPage: i32): usize {
  return firstBlock(<usize>hostPage);
}
/** The next block of the same page; 0: that was the last. */
export function jitNextBlock(block: usize): usize {
  return nextInPage(block);
}

/** Prepares an entry at the block: descriptor and twin. 0: it has one already, or there is no room in the arena. */
export function jitPrepare(block: usize): i32 {
  const header = block - HEADER_SIZE;
  if (entryOf(block) > COVERED) return 0;
  const size = endOf(block) - header;
  const entry = claimArena(size + ENTRY_SIZE);
  if (entry == 0) return 0;
  memory.fill(entry, 0, ENTRY_SIZE);
  memory.copy(entry + ENTRY_SIZE, header, size);
  const twin = entry + ENTRY_SIZE + HEADER_SIZE;
  setEntry(twin, 0);
  setCached(twin, false);
  store<u32>(entry, <u32>twin, E_TWIN);
  return <i32>entry;
}

/** First record of the twin of a prepared entry. */
export function jitTwin(entry: usize): i32 {
  return load<i32>(entry, E_TWIN);
}

/** Makes the interpreter enter the block through the region's function in the table. */
export function jitInstall(block: usize, entry: usize, fn: i32, number: i32, delta: i32, pageBit: i32): void {
  store<i32>(entry, fn, E_FUNCTION);
  store<i32>(entry, number, E_NUMBER);
  store<i32>(entry, delta, E_DELTA);
  store<i32>(entry, pageBit, E_PAGE_BIT);
  setEntry(block, entry);
  setOp(block, OP_REGION);
}

/** Notes whether a region contains the block. With 0, removes its entry, if any. */
export function jitCover(block: usize, covered: i32): void {
  const entry = entryOf(block);
  if (covered) {
    if (entry == 0) setEntry(block, COVERED);
    return;
  }
  if (entry > COVERED) setOp(block, opOf(<usize>load<u32>(entry, E_TWIN)));
  setEntry(block, 0);
}

/** How often the region was entered at the block since the last call. */
export function jitUses(block: usize): i32 {
  const entry = entryOf(block);
  if (entry <= COVERED) return 0;
  const uses = load<i32>(entry, E_USES);
  store<u32>(entry, 0, E_USES);
  return uses;
}

/** Code of this page (hva / 4096) has regions: requests `jitDropped` when it is dropped. 0: the page has no code. */
export function jitWatch(hostPage: i32): i32 {
  return watchPage(<usize>hostPage);
}

/** Samples in the block's page since it was last hot, and in bits 31:16 how many make it hot. */
export function jitHeat(block: usize): u32 {
  const heat = heatOf(block);
  const now = load<u32>(heat);
  return now | ((now == 0 ? threshold : wantedAt(heat)) << 16);
}
