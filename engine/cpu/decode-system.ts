/** System groups of the two-byte map: 0F 00, 0F 01, 0F 20-23, 0F 30-35. */
import { generic, numbered, plain } from './decode-common';
import { endsBlock, fetch8, gpr, inLong, invalid, isMemory, memoryAccess, opSize, reg, rex, rm, setDst } from './decode-state';
import {
  OP_INVLPG,
  OP_LGDT,
  OP_LIDT,
  OP_LLDT,
  OP_LMSW,
  OP_LTR,
  OP_MOV_FROM_CR,
  OP_MOV_FROM_DR,
  OP_MOV_TO_CR,
  OP_MOV_TO_DR,
  OP_RDMSR,
  OP_RDPMC,
  OP_RDTSC,
  OP_RDTSCP,
  OP_SGDT,
  OP_SIDT,
  OP_SLDT,
  OP_SMSW,
  OP_STR,
  OP_SVM,
  OP_SWAPGS,
  OP_SYSENTER,
  OP_SYSEXIT,
  OP_VERR,
  OP_VERW,
  OP_WRMSR,
  OP_XGETBV,
} from './generated/ops';
import { decode3A, decode38 } from './simd/decode-extended';

export function leaving(op: i32): void {
  plain(op);
  endsBlock();
}

export function loadRights(op: i32): void {
  generic(op, opSize, false);
  memoryAccess(2, false);
}

export function group6(): void {
  switch (reg & 7) {
    case 0:
      generic(OP_SLDT, isMemory ? 1 : opSize, true);
      return;
    case 1:
      generic(OP_STR, isMemory ? 1 : opSize, true);
      return;
    case 2:
      generic(OP_LLDT, 1, false);
      endsBlock();
      return;
    case 3:
      generic(OP_LTR, 1, false);
      endsBlock();
      return;
    case 4:
      generic(OP_VERR, 1, false);
      return;
    case 5:
      generic(OP_VERW, 1, false);
      return;
    default:
      invalid(true);
  }
}

export function group7(): void {
  const kind = reg & 7;
  if (!isMemory && kind != 4 && kind != 6) {
    if (kind == 7 && (rm & 7) == 0 && inLong) leaving(OP_SWAPGS);
    else if (kind == 7 && (rm & 7) == 1) plain(OP_RDTSCP);
    else if (kind == 2 && (rm & 7) == 0) plain(OP_XGETBV);
    else if (kind == 3) {
      numbered(OP_SVM, rm & 7);
      endsBlock();
    } else invalid(true); // VMX, MONITOR, CLAC, STAC, ...: not advertised
    return;
  }
  switch (kind) {
    case 0:
      tableRegister(OP_SGDT, true);
      return;
    case 1:
      tableRegister(OP_SIDT, true);
      return;
    case 2:
      tableRegister(OP_LGDT, false);
      endsBlock();
      return;
    case 3:
      tableRegister(OP_LIDT, false);
      endsBlock();
      return;
    case 4:
      generic(OP_SMSW, isMemory ? 1 : opSize, true);
      return;
    case 6:
      generic(OP_LMSW, 1, false);
      endsBlock();
      return;
    case 7:
      generic(OP_INVLPG, 0, false);
      endsBlock();
      return;
    default:
      invalid(true);
  }
}

function tableRegister(op: i32, writes: bool): void {
  generic(op, inLong ? 3 : opSize, writes);
  memoryAccess(inLong ? 10 : 6, writes);
}

/** MOV to and from CR and DR: the operand is always a register of 32 or 64 bits, whatever mod is. LOCK MOV CR0 does not name CR8 here. */
export function moveControl(opcode: u32): void {
  const start = fetch8();
  const number = ((start >> 3) & 7) | ((rex & 4) << 1);
  const other = (start & 7) | ((rex & 1) << 3);
  const to = opcode & 2;
  const debug = opcode & 1;
  const valid = debug ? number < 8 : number == 0 || number == 2 || number == 3 || number == 4 || number == 8;
  if (!valid) {
    invalid(true);
    return;
  }
  const r = numbered(debug ? (to ? OP_MOV_TO_DR : OP_MOV_FROM_DR) : to ? OP_MOV_TO_CR : OP_MOV_FROM_CR, number);
  setDst(r, gpr(other, 3));
  if (to) endsBlock();
}

export function decode30(opcode: u32): void {
  switch (opcode) {
    case 0x30:
      leaving(OP_WRMSR);
      return;
    case 0x31:
      plain(OP_RDTSC);
      return;
    case 0x32:
      leaving(OP_RDMSR);
      return;
    case 0x33:
      plain(OP_RDPMC);
      return;
    case 0x34:
      leaving(OP_SYSENTER);
      return;
    case 0x35:
      leaving(OP_SYSEXIT);
      return;
    case 0x38:
      decode38();
      return;
    case 0x3a:
      decode3A();
      return;
    default:
      invalid(true);
  }
}
