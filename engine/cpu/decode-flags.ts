/**
 * Two things the decoder does about flags within a block. A compare (or simple arithmetic) directly in front of a conditional branch is
 * replaced by a handler that does both. And an instruction whose flags are overwritten before anything can see them gets a handler that
 * does not store them: only instructions that cannot fault may stand between, so that no fault ever shows stale flags.
 */
import {
  OP_ADD_RR32_J4,
  OP_ADD_RR32_QUIET,
  OP_ADD_RR8,
  OP_AND_RR32_J4,
  OP_BSWAP64,
  OP_CDQ,
  OP_CDQE,
  OP_CMP_RR8,
  OP_CMP_RR8_J2,
  OP_CQO,
  OP_CWDE,
  OP_BSWAP32,
  OP_DEC_R32,
  OP_DEC_R32_J4,
  OP_DEC_R64,
  OP_IMUL_RR32,
  OP_IMUL_RR64,
  OP_IMUL_RRI32,
  OP_IMUL_RRI64,
  OP_INC_R32,
  OP_INC_R32_J4,
  OP_INC_R64,
  OP_LEA_M32,
  OP_LEA_M64,
  OP_LEA_X32,
  OP_LEA_X64,
  OP_MOV_RI16,
  OP_MOV_RI32,
  OP_MOV_RI64,
  OP_MOV_RI8,
  OP_MOV_RR16,
  OP_MOV_RR32,
  OP_MOV_RR64,
  OP_MOV_RR8,
  OP_MOVSX_16_32_R,
  OP_MOVSX_16_64_R,
  OP_MOVSX_32_64_R,
  OP_MOVSX_8_32_R,
  OP_MOVSX_8_64_R,
  OP_MOVZX_16_32_R,
  OP_MOVZX_8_32_R,
  OP_NEG_R32,
  OP_NEG_R64,
  OP_NOP,
  OP_SAR_RI32,
  OP_SAR_RI64,
  OP_SHL_RI32,
  OP_SHL_RI64,
  OP_SHR_RI32,
  OP_SHR_RI64,
  OP_SUB_RR32_J4,
  OP_TEST_RR8,
  OP_TEST_RR8_J4,
  OP_XCHG_RR32,
  OP_XCHG_RR64,
} from './generated/ops';
import { R_OP, RECORD_SIZE } from './record';

/** The last instruction whose flags nobody has looked at yet, if it has a quiet form. */
let candidate: usize = 0;
let quietOp: i32 = 0;
/** The last record of the instruction before this one, or 0 at the block's start. */
let previous: usize = 0;

export function startFlags(): void {
  candidate = 0;
  previous = 0;
}

/** Compare conditions in the order of the joined handlers. */
function compareIndex(condition: u32): i32 {
  if (condition >= 2 && condition <= 9) return <i32>condition - 2;
  return condition >= 12 ? <i32>condition - 4 : -1;
}
/** After TEST: CF = OF = 0, so BE is Z, L is S, and so on. Order Z NZ S NS LE G. */
function logicIndex(condition: u32): i32 {
  switch (condition) {
    case 4:
    case 6:
      return 0;
    case 5:
    case 7:
      return 1;
    case 8:
    case 12:
      return 2;
    case 9:
    case 13:
      return 3;
    case 14:
      return 4;
    case 15:
      return 5;
    default:
      return -1;
  }
}
function sizeIndex(size: i32): i32 {
  return size == 0 ? 0 : size - 1;
}

function joinedOp(op: i32, condition: u32): i32 {
  const compare = op - OP_CMP_RR8;
  if (compare >= 0 && compare < 24) {
    const at = compareIndex(condition);
    const size = compare & 3;
    if (at < 0 || size == 1) return -1;
    const form = compare >> 2;
    return OP_CMP_RR8_J2 + ((form < 3 ? form : form - 1) * 3 + sizeIndex(size)) * 12 + at;
  }
  const test = op - OP_TEST_RR8;
  if (test >= 0 && test < 16) {
    const at = logicIndex(condition);
    const size = test & 3;
    const form = test >> 2;
    if (at < 0 || size == 1 || form == 2) return -1;
    return OP_TEST_RR8_J4 + ((form < 2 ? form : 2) * 3 + sizeIndex(size)) * 6 + at;
  }
  const result = condition == 4 || condition == 5 ? <i32>condition - 4 : condition == 8 || condition == 9 ? <i32>condition - 6 : -1;
  if (result < 0) return -1;
  if (op == OP_INC_R32 || op == OP_INC_R64) return OP_INC_R32_J4 + (op - OP_INC_R32) * 4 + result;
  if (op == OP_DEC_R32 || op == OP_DEC_R64) return OP_DEC_R32_J4 + (op - OP_DEC_R32) * 4 + result;
  const alu = op - OP_ADD_RR8;
  if (alu < 0 || alu >= 7 * 24) return -1;
  const kind = alu / 24;
  const form = (alu % 24) >> 2;
  const size = alu & 3;
  if (form > 1 || size < 2) return -1;
  const base = kind == 0 ? OP_ADD_RR32_J4 : kind == 4 ? OP_AND_RR32_J4 : kind == 5 ? OP_SUB_RR32_J4 : -1;
  return base < 0 ? -1 : base + ((form << 1) + size - 2) * 4 + result;
}

/** The branch record at r follows: joins the instruction before it, if there is a handler for the pair. */
export function joinWithBranch(r: usize, condition: u32): void {
  if (previous == 0 || previous + RECORD_SIZE != r) return;
  const op = joinedOp(<i32>load<u16>(previous, R_OP), condition);
  if (op >= 0) store<u16>(previous, <u16>op, R_OP);
}

/** 0 forget, 1 neutral, 2 overwrites all flags, 3 the same and has a quiet form (in quietOp). */
function effect(op: i32): i32 {
  const alu = op - OP_ADD_RR8;
  if (alu >= 0 && alu < 8 * 24) {
    const kind = alu / 24;
    const form = (alu % 24) >> 2;
    const size = alu & 3;
    if (form > 1 || kind == 2 || kind == 3) return 0;
    if (kind == 7 || size < 2) return 2;
    const row = kind < 2 ? kind : kind - 2;
    quietOp = OP_ADD_RR32_QUIET + (row << 2) + (form << 1) + size - 2;
    return 3;
  }
  const test = op - OP_TEST_RR8;
  if (test >= 0 && test < 8) return 2;
  switch (op) {
    case OP_SHL_RI32:
    case OP_SHL_RI64:
    case OP_SHR_RI32:
    case OP_SHR_RI64:
    case OP_SAR_RI32:
    case OP_SAR_RI64:
      quietOp = op + 2;
      return 3;
    case OP_IMUL_RR32:
    case OP_IMUL_RR64:
    case OP_IMUL_RRI32:
    case OP_IMUL_RRI64:
    case OP_NEG_R32:
    case OP_NEG_R64:
      return 2;
    case OP_MOV_RR8:
    case OP_MOV_RR16:
    case OP_MOV_RR32:
    case OP_MOV_RR64:
    case OP_MOV_RI8:
    case OP_MOV_RI16:
    case OP_MOV_RI32:
    case OP_MOV_RI64:
    case OP_LEA_M32:
    case OP_LEA_M64:
    case OP_LEA_X32:
    case OP_LEA_X64:
    case OP_MOVZX_8_32_R:
    case OP_MOVZX_16_32_R:
    case OP_MOVSX_8_32_R:
    case OP_MOVSX_8_64_R:
    case OP_MOVSX_16_32_R:
    case OP_MOVSX_16_64_R:
    case OP_MOVSX_32_64_R:
    case OP_CDQ:
    case OP_CQO:
    case OP_CWDE:
    case OP_CDQE:
    case OP_BSWAP32:
    case OP_BSWAP64:
    case OP_XCHG_RR32:
    case OP_XCHG_RR64:
    case OP_NOP:
      return 1;
    default:
      return 0;
  }
}

/** An instruction with the records [first, end) was decoded. */
export function finishFlags(first: usize, end: usize): void {
  previous = end - RECORD_SIZE;
  if (previous != first) {
    candidate = 0;
    return;
  }
  const oldQuiet = quietOp;
  const what = effect(<i32>load<u16>(first, R_OP));
  if (what == 1) return;
  if (what >= 2 && candidate != 0) store<u16>(candidate, <u16>oldQuiet, R_OP);
  candidate = what == 3 ? first : 0;
}
