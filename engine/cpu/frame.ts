/**
 * The frame of the interpreter: scripts/core/generate.ts puts a handler per inline operation where HANDLERS stands, and writes
 * generated/interp.ts, which is what runs. The locals are the handlers' (scripts/core/handlers), and so are imports that only they use.
 */
import {
  HASH,
  HASH_SIZE,
  TLB_ADDEND,
  TLB_TAG_EXEC,
  TLB_TAG_READ,
  TLB_TAG_WRITE,
  VCPU_LEFT,
  VCPU_RIP,
  VCPU_STOP_BEHIND,
} from '../abi/index';
import { findBlock, linkBlocks } from './blocks';
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
import { faultGoesOn, mayGoOn } from './going-on';
import { badCall, badTarget, modifyInline, readInline, segmentedAddress, writeInline } from './mem';
import { slowValue } from './mmu';
import { MODE_64, MODE_FLAT, mode, tlbBase } from './mmu-mode';
import { mulHighSigned } from './ops-muldiv';
import {
  H_COUNT,
  H_HVA,
  H_MODE,
  H_NEXT,
  HEADER_SIZE,
  R_BASE,
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
  VREG_EA,
  VREG_PAGE,
} from './record';
import { enterRegion, interpreted, leftAt, REGION_FAULT, REGION_INTERPRET } from './regions';
import { cpu } from './state';
import { lastOf } from './stops';
import {
  blockKey,
  setLeavePoint,
  WHY_EVENT,
  WHY_FALL,
  WHY_FAULT,
  WHY_FETCH,
  WHY_JUMP,
  WHY_LEAVE,
  WHY_OVER,
  WHY_STOP,
  WHY_TAKEN,
} from './why';

const TLB_MASK: usize = 0x1ffe0;
const PAGE_MASK: u64 = 0xfffffffffffff000;
const RAX: usize = 0;
const RDX: usize = 16;
const RSP: usize = 32;
const RBP: usize = 40;

/**
 * Runs records from `start` (the first of a block whose instructions are already subtracted from VCPU_LEFT) until something needs the caller.
 * Answers WHY_*; the record at which it stopped is the leave point.
 */
export function execute(start: usize): i32 {
  const c = cpu;
  let tlb = tlbBase;
  let key = blockKey();
  let ripMask: u64 = mode & MODE_64 ? 0xffffffffffffffff : 0xffffffff;
  // RIP is a linear address, and inside CS.
  let direct = (mode & (MODE_64 | MODE_FLAT)) != 0;
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
  // A region left before an instruction that it does not translate.
  let interpret: bool = false;
  while (true) {
    /*PROFILE*/
    switch (<i32>load<u16>(p)) {
      /*HANDLERS*/
      default: {
        n = cold(p);
        if (n == 1) {
          // goingOn(p), by the local: most of these are so short that a load or two of their own would show.
          if (load<u32>(c, VCPU_STOP_BEHIND)) p = lastOf(p);
          p += RECORD_SIZE;
          continue;
        }
        if (n == 0) break;
        // VCPU_RIP is where it goes on.
        if (load<u32>(c, VCPU_STOP_BEHIND) || (n == 2 && !mayGoOn(p))) {
          why = WHY_LEAVE;
          break;
        }
        if (n == 2) {
          // The mode may be another one.
          tlb = tlbBase;
          key = blockKey();
          ripMask = mode & MODE_64 ? 0xffffffffffffffff : 0xffffffff;
          direct = (mode & (MODE_64 | MODE_FLAT)) != 0;
        }
        rip = load<u64>(c, VCPU_RIP);
        why = WHY_JUMP;
        break;
      }
    }
    if (why == WHY_FAULT) {
      n = faultGoesOn(p);
      if (n < 0) return WHY_EVENT;
      if (n > 0) {
        tlb = tlbBase;
        key = blockKey();
        ripMask = mode & MODE_64 ? 0xffffffffffffffff : 0xffffffff;
        direct = (mode & (MODE_64 | MODE_FLAT)) != 0;
        rip = load<u64>(c, VCPU_RIP);
        why = WHY_JUMP;
      }
    }
    if (why == WHY_JUMP || why == WHY_FALL || why == WHY_TAKEN) {
      const page = load<u64>(c, VREG_PAGE);
      if (why == WHY_TAKEN) rip = (page + <u64>(<i64>load<i32>(p, R_TARGET))) & ripMask;
      else if (why == WHY_FALL) rip = (page + <u64>load<u16>(p, R_OFF) + <u64>load<u8>(p, R_LEN)) & ripMask;
      q = 0;
      if (direct) {
        e = tlb + ((<usize>(rip >> 7) ^ <usize>(rip >> 19)) & TLB_MASK);
        if (load<u64>(e, TLB_TAG_EXEC) == (rip & PAGE_MASK)) {
          h = <usize>rip + <usize>load<u32>(e, TLB_ADDEND);
          q = <usize>load<u32>(<usize>HASH + (((h ^ (h >> 15)) & (HASH_SIZE - 1)) << 2));
          while (q != 0 && (load<u32>(q - HEADER_SIZE + H_HVA) != <u32>h || load<u32>(q - HEADER_SIZE + H_MODE) != key))
            q = <usize>load<u32>(q - HEADER_SIZE + H_NEXT);
          if (q != 0) store<u64>(c, rip & PAGE_MASK, VREG_PAGE);
        }
      }
      if (q == 0) {
        q = findBlock(rip);
        if (q == 0) {
          store<u64>(c, rip, VCPU_RIP);
          return WHY_FETCH;
        }
      }
      if (why != WHY_JUMP) {
        if (load<u64>(c, VREG_PAGE) == page) linkBlocks(p, why - WHY_FALL, q);
      } else if (interpret) {
        interpret = false;
        q = interpreted(q);
      }
    } else {
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
