/**
 * The frame of the interpreter. scripts/core/generate.ts inserts a handler for each common inline operation at HANDLERS, the question whether an
 * operation is rare at RARE, and writes generated/interp.ts, which is compiled. Rare operations have a frame of their own, frame-rare.ts. Handlers
 * (scripts/core/handlers) use the locals, and some imports that only they need.
 */
import {
  HASH,
  HASH_SIZE,
  TLB_ADDEND,
  TLB_MASK,
  TLB_TAG_EXEC,
  TLB_TAG_READ,
  TLB_TAG_WRITE,
  VCPU_LEFT,
  VCPU_RAX,
  VCPU_RBP,
  VCPU_RDX,
  VCPU_RIP,
  VCPU_RSP,
  VCPU_STOP_BEHIND,
} from '../abi/index';
import { findBlock, linkBlocks } from './blocks';
import { lastTarget } from './far-targets';
import {
  arithmeticFlags,
  carry,
  condition,
  F_CF,
  F_OF,
  FL_BITS,
  FL_FIRST,
  FL_RESULT,
  FL_WORD,
  FLAGS_ADD,
  FLAGS_DEC,
  FLAGS_INC,
  FLAGS_LOGIC,
  FLAGS_RES,
  FLAGS_SUB,
  setArithmeticFlags,
  sign,
} from './flags';
import { cold } from './generated/cold';
import { rare, rareWhy } from './generated/rare';
import { faultGoesOn, mayGoOn } from './going-on';
import { badCall, badTarget, modifyInline, readInline, segmentedAddress, writeInline } from './mem';
import { slowValue } from './mmu';
import { MODE_64, MODE_FLAT, mode, tlbBase } from './mmu-mode';
import { mulHighSigned } from './ops-muldiv';
import {
  H_CACHED,
  H_COUNT,
  H_HVA,
  H_MODE,
  H_NEXT,
  HEADER_SIZE,
  R_AWAY,
  R_BASE,
  R_BEHIND,
  R_BEHIND_NEAR,
  R_CONDITION,
  R_DISP,
  R_DST,
  R_EA_BASE,
  R_FALL,
  R_FAR,
  R_IMM,
  R_INDEX,
  R_LEN,
  R_OFF,
  R_SCALE,
  R_SRC,
  R_TARGET,
  RECORD_SIZE,
  setAway,
  setBehind,
  setLastTarget,
  VREG_EA,
  VREG_PAGE,
} from './record';
import { enterRegion, interpreted, leftAt, REGION_FAULT, REGION_INTERPRET, REGION_STOP } from './regions';
import { cellOfCall, noteCall } from './returns';
import { cpu } from './state';
import { lastOf } from './stops';
import {
  blockKey,
  leavePoint,
  setLeavePoint,
  WHY_AGAIN,
  WHY_EVENT,
  WHY_FALL,
  WHY_FAR,
  WHY_FAULT,
  WHY_FETCH,
  WHY_JUMP,
  WHY_LEAVE,
  WHY_OVER,
  WHY_RETURN,
  WHY_STOP,
  WHY_TAKEN,
} from './why';

const PAGE_MASK: u64 = 0xfffffffffffff000;

/** Is it the block at hva, and in the cache? */
@inline
function isBlock(block: usize, hva: usize, key: u32): bool {
  return (
    load<u32>(block - HEADER_SIZE + H_HVA) == <u32>hva &&
    load<u32>(block - HEADER_SIZE + H_MODE) == key &&
    load<u32>(block - HEADER_SIZE + H_CACHED) != 0
  );
}

/**
 * The decoded block at rip if the TLB and the hash of blocks know it; 0: call findBlock. `guess`: a block decoded since the last flush of the arena,
 * which it may be; 0: none.
 */
@inline
function knownBlock(guess: usize, rip: u64, tlb: usize, key: u32): usize {
  const entry = tlb + ((<usize>(rip >> 7) ^ <usize>(rip >> 19)) & TLB_MASK);
  if (load<u64>(entry, TLB_TAG_EXEC) != (rip & PAGE_MASK)) return 0;
  const hva = <usize>rip + <usize>load<u32>(entry, TLB_ADDEND);
  let block = guess;
  if (block == 0 || !isBlock(block, hva, key)) {
    block = <usize>load<u32>(<usize>HASH + (((hva ^ (hva >> 15)) & (HASH_SIZE - 1)) << 2));
    while (block != 0 && (load<u32>(block - HEADER_SIZE + H_HVA) != <u32>hva || load<u32>(block - HEADER_SIZE + H_MODE) != key))
      block = <usize>load<u32>(block - HEADER_SIZE + H_NEXT);
  }
  if (block != 0) store<u64>(cpu, rip & PAGE_MASK, VREG_PAGE);
  return block;
}

/** Is RIP a linear address, and inside CS? */
@inline
function isDirect(): bool {
  return (mode & (MODE_64 | MODE_FLAT)) != 0;
}

/**
 * Runs records from `start` (the first of a block whose instructions are already subtracted from VCPU_LEFT) until the caller has something to do.
 * Returns WHY_*; the record at which it stopped is the leave point.
 */
export function execute(start: usize): i32 {
  let why = inMode(start);
  while (why >= WHY_AGAIN) {
    const rip = load<u64>(cpu, VCPU_RIP);
    let block: usize = 0;
    if (isDirect()) {
      if (why == WHY_FAR) block = lastTarget(leavePoint, rip);
      if (block == 0) {
        block = knownBlock(0, rip, tlbBase, blockKey());
        if (block != 0 && why == WHY_FAR) setLastTarget(leavePoint, block);
      }
    }
    if (block == 0) block = findBlock(rip);
    if (block == 0) return WHY_FETCH;
    const left = load<i32>(cpu, VCPU_LEFT) - load<i32>(block - HEADER_SIZE + H_COUNT);
    store<i32>(cpu, left, VCPU_LEFT);
    if (left < 0) {
      setLeavePoint(block);
      return WHY_OVER;
    }
    why = inMode(block);
  }
  return why;
}

/**
 * The same until the mode may have changed: WHY_AGAIN. What depends on the mode is constant in here. As variables such values would be carried
 * through every handler, which cost calls and computed jumps a tenth of their speed.
 */
function inMode(start: usize): i32 {
  const c = cpu;
  const tlb = tlbBase;
  const key = blockKey();
  const ripMask: u64 = mode & MODE_64 ? 0xffffffffffffffff : 0xffffffff;
  const direct = isDirect();
  let p = start;
  let why: i32 = 0;
  let a: u32 = 0;
  let b: u32 = 0;
  let r: u32 = 0;
  let t: u32 = 0;
  let x: u64 = 0;
  let y: u64 = 0;
  let z: u64 = 0;
  let va: u64 = 0;
  let rip: u64 = 0;
  let e: usize = 0;
  let h: usize = 0;
  let q: usize = 0;
  let n: i32 = 0;
  // A region was left before an instruction that it does not translate.
  let interpret: bool = false;
  while (true) {
    /*PROFILE*/
    switch (<i32>load<u16>(p)) {
      /*HANDLERS*/
      default: {
        if (/*RARE*/ p) {
          q = rare(p);
          if (q != 0) {
            p = q;
            continue;
          }
          p = leavePoint;
          why = rareWhy;
          break;
        }
        n = cold(p);
        if (n == 1) {
          // goingOn(p), inlined with the local: most of these instructions are so short that a load or two more would cost time.
          if (load<u32>(c, VCPU_STOP_BEHIND)) p = lastOf(p);
          p += RECORD_SIZE;
          continue;
        }
        if (n == 0) break;
        // Execution continues at VCPU_RIP.
        if (load<u32>(c, VCPU_STOP_BEHIND) || (n != 3 && !mayGoOn(p))) {
          why = WHY_LEAVE;
          break;
        }
        if (n == 4) {
          setLeavePoint(p);
          return WHY_FAR;
        }
        if (n == 2) return WHY_AGAIN;
        rip = load<u64>(c, VCPU_RIP);
        why = WHY_JUMP;
        break;
      }
    }
    if (why == WHY_JUMP) {
      q = direct ? knownBlock(0, rip, tlb, key) : 0;
      if (q == 0) q = findBlock(rip);
      if (q == 0) {
        store<u64>(c, rip, VCPU_RIP);
        return WHY_FETCH;
      }
      if (interpret) {
        interpret = false;
        q = interpreted(q);
      }
    } else if (why == WHY_RETURN) {
      e = <usize>load<u32>(h);
      q = direct ? knownBlock(e, rip, tlb, key) : 0;
      if (q == 0) q = findBlock(rip);
      else if (q != e) setBehind(h, q);
      if (q == 0) {
        store<u64>(c, rip, VCPU_RIP);
        return WHY_FETCH;
      }
    } else if (why == WHY_FALL || why == WHY_TAKEN) {
      const page = load<u64>(c, VREG_PAGE);
      if (why == WHY_TAKEN) rip = (page + <u64>(<i64>load<i32>(p, R_TARGET))) & ripMask;
      else rip = (page + <u64>load<u16>(p, R_OFF) + <u64>load<u8>(p, R_LEN)) & ripMask;
      e = <usize>load<u32>(p, R_AWAY);
      q = direct ? knownBlock(e, rip, tlb, key) : 0;
      if (q == 0) q = findBlock(rip);
      else if (q != e) setAway(p, q);
      if (q == 0) {
        store<u64>(c, rip, VCPU_RIP);
        return WHY_FETCH;
      }
      if (load<u64>(c, VREG_PAGE) == page) linkBlocks(p, why - WHY_FALL, q);
    } else {
      n = why == WHY_FAULT ? faultGoesOn(p) : 0;
      if (n != 0) return n > 0 ? WHY_AGAIN : WHY_EVENT;
      setLeavePoint(p);
      return why;
    }
    n = load<i32>(c, VCPU_LEFT) - load<i32>(q - HEADER_SIZE + H_COUNT);
    store<i32>(c, n, VCPU_LEFT);
    p = q;
    if (n < 0) {
      setLeavePoint(p);
      return WHY_OVER;
    }
    why = 0;
  }
  return 0;
}
