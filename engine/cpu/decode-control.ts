/** One-byte opcodes that transfer control, and ports: 9A, C2-C3, C8-CF, E0-EF, FF /2-/5. */
import { farImmediate, generic, numbered, plain, withImmediate } from './decode-common';
import { joinWithBranch } from './decode-flags';
import { unary } from './decode-shift';
import {
  addressSize,
  branchTarget,
  emit,
  emitMemory,
  endsBlock,
  fetch8,
  fetch16,
  fetch32,
  flatStack,
  gpr,
  inLong,
  invalid,
  isMemory,
  limited,
  memoryAccess,
  opSize,
  reg,
  rm,
  setAux,
  setImm,
  setSrc,
  signed8,
  stackSize,
} from './decode-state';
import { jccOp, UNARY_DEC, UNARY_INC } from './generated/lookups';
import {
  OP_CALL_G,
  OP_CALL_M32,
  OP_CALL_M64,
  OP_CALL_R32,
  OP_CALL_R64,
  OP_CALL_RM,
  OP_CALL32,
  OP_CALL64,
  OP_CALLF_M,
  OP_ENTER,
  OP_IN,
  OP_INT,
  OP_INTO,
  OP_IRET,
  OP_JCC_G,
  OP_JMP,
  OP_JMP_G,
  OP_JMP_M32,
  OP_JMP_M64,
  OP_JMP_R32,
  OP_JMP_R64,
  OP_JMP_RM,
  OP_JMPF,
  OP_JMPF_M,
  OP_LEAVE,
  OP_LEAVE32,
  OP_LEAVE64,
  OP_LOAD_FAR,
  OP_LOOP,
  OP_OUT,
  OP_PUSH_M,
  OP_PUSH_R32,
  OP_PUSH_R64,
  OP_RET_G,
  OP_RET32,
  OP_RET64,
  OP_RETF,
} from './generated/ops';
import { AUX_ASIZE_SHIFT, setAuxSize, setCondition, setKind, setLevel, setNumber, setPort } from './record';

/** LES LDS LSS LFS LGS. */
export function farPointer(seg: u32): void {
  const r = generic(OP_LOAD_FAR, opSize, false);
  memoryAccess((1 << opSize) + 2, false);
  setNumber(r, seg);
  endsBlock();
}

export function nearReturn(pop: i64): void {
  const size = stackSize();
  const r = emit(inLong ? OP_RET64 : flatStack() ? OP_RET32 : OP_RET_G);
  setAux(r, <u32>size);
  setImm(r, pop);
  endsBlock();
}

export function decodeC8(opcode: u32): void {
  switch (opcode) {
    case 0xc8: {
      const bytes = fetch16();
      const r = withImmediate(OP_ENTER, <i64>bytes);
      setLevel(r, fetch8() & 31);
      setAuxSize(r, stackSize());
      return;
    }
    case 0xc9: {
      const size = stackSize();
      const r = emit(size == 3 ? OP_LEAVE64 : flatStack() ? OP_LEAVE32 : OP_LEAVE);
      setAux(r, <u32>size);
      return;
    }
    case 0xca:
      withImmediate(OP_RETF, <i64>fetch16());
      endsBlock();
      return;
    case 0xcb:
      plain(OP_RETF);
      endsBlock();
      return;
    case 0xcc:
      setKind(numbered(OP_INT, 3), 1);
      endsBlock();
      return;
    case 0xcd:
      numbered(OP_INT, fetch8());
      endsBlock();
      return;
    case 0xce:
      if (inLong) invalid(true);
      else plain(OP_INTO);
      endsBlock();
      return;
    default:
      plain(OP_IRET);
      endsBlock();
  }
}

/**
 * Near branches. With 16-bit operand size IP wraps, so they run out of line, as do branches that a limit may stop. 64-bit mode ignores 66, as Intel
 * processors do.
 */
function quickBranch(): bool {
  return inLong || (opSize == 2 && !limited);
}

export function jcc(condition: u32, relative: i64): void {
  if (quickBranch()) {
    const r = emit(jccOp(<i32>condition));
    branchTarget(r, relative);
    joinWithBranch(r, condition);
  } else {
    const r = plain(OP_JCC_G);
    setCondition(r, condition);
    branchTarget(r, relative);
  }
  endsBlock();
}

function nearJump(relative: i64): void {
  const r = quickBranch() ? emit(OP_JMP) : plain(OP_JMP_G);
  branchTarget(r, relative);
  endsBlock();
}

function nearCall(relative: i64): void {
  const r = inLong ? emit(OP_CALL64) : flatStack() ? emit(OP_CALL32) : plain(OP_CALL_G);
  branchTarget(r, relative);
  endsBlock();
}

/** rel16 or rel32. */
export function relativeZ(): i64 {
  return inLong || opSize == 2 ? <i64>(<i32>fetch32()) : <i64>(<i16>fetch16());
}

export function decodeE0(opcode: u32): void {
  if (opcode < 0xe4) {
    const relative = signed8();
    const r = numbered(OP_LOOP, opcode & 3);
    if (inLong) setAuxSize(r, 3);
    setAux(r, (<u32>addressSize) << AUX_ASIZE_SHIFT);
    branchTarget(r, relative);
  } else portRecord(opcode, <i64>fetch8());
  endsBlock();
}

function portRecord(opcode: u32, port: i64): void {
  const r = plain(opcode & 2 ? OP_OUT : OP_IN);
  setPort(r, port);
  setAuxSize(r, opcode & 1 ? (opSize == 1 ? 1 : 2) : 0);
}

export function decodeE8(opcode: u32): void {
  switch (opcode) {
    case 0xe8:
      nearCall(relativeZ());
      return;
    case 0xe9:
      nearJump(relativeZ());
      return;
    case 0xea: {
      if (inLong) {
        invalid(true);
        return;
      }
      farImmediate(OP_JMPF);
      endsBlock();
      return;
    }
    case 0xeb:
      nearJump(signed8());
      return;
    default:
      portRecord(opcode, -1);
      endsBlock();
  }
}

export function group5(): void {
  const kind = reg & 7;
  if (kind < 2) {
    unary(kind == 0 ? UNARY_INC : UNARY_DEC, opSize);
    return;
  }
  if (kind == 6) {
    const size = stackSize();
    if (!isMemory && (size == 3 || flatStack())) {
      const r = emit(size == 3 ? OP_PUSH_R64 : OP_PUSH_R32);
      setSrc(r, gpr(rm, size));
    } else generic(OP_PUSH_M, size, false);
    return;
  }
  if (kind == 7) {
    invalid(true);
    return;
  }
  endsBlock();
  if (kind == 3 || kind == 5) {
    if (!isMemory) {
      invalid(true);
      return;
    }
    generic(kind == 3 ? OP_CALLF_M : OP_JMPF_M, opSize, false);
    memoryAccess((1 << opSize) + 2, false);
    return;
  }
  if (inLong) {
    if (isMemory) emitMemory(kind == 2 ? OP_CALL_M64 : OP_JMP_M64);
    else setSrc(emit(kind == 2 ? OP_CALL_R64 : OP_JMP_R64), gpr(rm, 3));
  } else if (flatStack()) {
    if (isMemory) emitMemory(kind == 2 ? OP_CALL_M32 : OP_JMP_M32);
    else setSrc(emit(kind == 2 ? OP_CALL_R32 : OP_JMP_R32), gpr(rm, 2));
  } else generic(kind == 2 ? OP_CALL_RM : OP_JMP_RM, opSize, false);
}
