/**
 * The frame of the handlers of rare inline operations: scripts/core/generate.ts inserts them at HANDLERS and writes generated/rare.ts, which is
 * compiled. Handlers use the same locals as in frame.ts.
 */
import { TLB_ADDEND, TLB_MASK, TLB_TAG_READ, TLB_TAG_WRITE, VCPU_LEFT, VCPU_RAX, VCPU_RBP, VCPU_RDX } from '../abi/index';
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
} from './flags';
import { modifyInline, readInline, segmentedAddress, writeInline } from './mem';
import { slowValue } from './mmu';
import { tlbBase } from './mmu-mode';
import { mulHighSigned } from './ops-muldiv';
import {
  H_COUNT,
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
  R_SCALE,
  R_SRC,
  RECORD_SIZE,
  VREG_EA,
} from './record';
import { cpu } from './state';
import { setLeavePoint, WHY_AGAIN, WHY_FALL, WHY_OVER } from './why';

const PAGE_MASK: u64 = 0xfffffffffffff000;

/** Why `rare` stopped. */
export let rareWhy: i32 = 0;

/**
 * Runs the record at `start`, and those after it, as long as their operations are rare. Returns the next record; 0: it stopped at the leave point,
 * because of rareWhy.
 */
export function rare(start: usize): usize {
  const c = cpu;
  const tlb = tlbBase;
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
  let e: usize = 0;
  let h: usize = 0;
  let q: usize = 0;
  let n: i32 = 0;
  while (true) {
    /*PROFILE*/
    switch (<i32>load<u16>(p) - /*FIRST*/ 0) {
      /*HANDLERS*/
      default: {
        // A return here would make asc take the code behind the switch for unreachable.
        why = WHY_AGAIN;
        break;
      }
    }
    if (why == WHY_AGAIN) return p;
    setLeavePoint(p);
    rareWhy = why;
    return 0;
  }
}
