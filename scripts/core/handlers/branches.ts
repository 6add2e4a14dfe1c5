/** Handlers that end a block: branches, calls, returns, and flag-setting instructions joined with the following Jcc. */
import type { Operation, Size } from '../../../engine/abi/ops/index';
import { aluBody, unaryBody } from './arithmetic';
import { address, branch, names, readMemory, SRC, signed, writeMemory } from './templates';

/** The condition as an expression over the operands of a compare. */
function compared(code: number, size: Size): string {
  const { a, b, r } = names(size);
  const sa = signed(size, a);
  const sb = signed(size, b);
  const table: Record<number, string> = {
    2: `${a} < ${b}`,
    3: `${a} >= ${b}`,
    4: `${a} == ${b}`,
    5: `${a} != ${b}`,
    6: `${a} <= ${b}`,
    7: `${a} > ${b}`,
    8: `${signed(size, r)} < 0`,
    9: `${signed(size, r)} >= 0`,
    12: `(${sa}) < (${sb})`,
    13: `(${sa}) >= (${sb})`,
    14: `(${sa}) <= (${sb})`,
    15: `(${sa}) > (${sb})`,
  };
  return table[code]!;
}

/** The condition over a result whose CF and OF are 0, or that asks for ZF or SF only. */
function resulting(code: number, size: Size): string {
  const { r } = names(size);
  const s = signed(size, r);
  const table: Record<number, string> = { 4: `${r} == 0`, 5: `${r} != 0`, 8: `${s} < 0`, 9: `${s} >= 0`, 14: `${s} <= 0`, 15: `${s} > 0` };
  return table[code]!;
}

/** A flag-setting instruction joined with the conditional branch after it; the branch keeps its own record at p + 32. */
export function joinedHandler(row: Operation, size: Size, condition: number): string {
  const body = row.family === 'unary' ? unaryBody(row, size) : aluBody(row, size);
  const met = row.action === 'cmp' ? compared(condition, size) : resulting(condition, size);
  return `${body} t = u32(${met}); ${branch('p + RECORD_SIZE')}`;
}

/** Conditions that do not need the general `condition`. */
const QUICK: Readonly<Record<number, string>> = {
  2: 'carry()',
  3: 'carry() ^ 1',
  4: 'u32(load<u64>(c, FL_RESULT) == 0)',
  5: 'u32(load<u64>(c, FL_RESULT) != 0)',
  8: 'sign()',
  9: 'sign() ^ 1',
};

const JUMP = 'why = WHY_JUMP; break;';
/** A near branch to a non-canonical address; a fault of a CALL's push takes precedence. Flat 32-bit code has no such addresses. */
const CHECK_CALL = 'if ((rip + 0x800000000000) >> 48) { badCall(p, load<u64>(c, VCPU_RSP) - 8); break; }';
const CHECK_TARGET = 'if ((rip + 0x800000000000) >> 48) { badTarget(); break; }';

/** CALL JMP RET of 64-bit (size 3) and of flat 32-bit code. */
function callHandler({ action, form, indexed }: Operation, size: Size): string {
  const wide = size === 3;
  const { a, type } = names(size);
  const returnAddress = 'load<u64>(c, VREG_PAGE) + <u64>load<u16>(p, R_OFF) + <u64>load<u8>(p, R_LEN)';
  const push = wide
    ? `va = load<u64>(c, VCPU_RSP) - 8; x = ${returnAddress}; ${writeMemory(3, 'x')} store<u64>(c, va, VCPU_RSP);`
    : `va = (load<u64>(c, VCPU_RSP) - 4) & 0xffffffff; ${a} = <u32>(${returnAddress}); ${writeMemory(2, a)} store<u64>(c, va, VCPU_RSP);`;
  const checkTarget = wide ? CHECK_TARGET : '';
  if (action === 'ret') {
    const next = wide ? 'va + 8 + load<u64>(p, R_IMM)' : '(va + 4 + load<u64>(p, R_IMM)) & 0xffffffff';
    return `va = <u64>load<${type}>(c, VCPU_RSP); ${readMemory(size, 'rip', 'u64')} ${checkTarget} store<u64>(c, ${next}, VCPU_RSP); h = cellOfCall(va); why = WHY_RETURN; break;`;
  }
  // The return address lies at va.
  const note = (cell: string): string => `noteCall(va, p + ${cell});`;
  if (form === 'near') return `${push} ${note('R_BEHIND_NEAR')} t = 1; ${branch('p')}`;
  const target = form === 'r' ? `rip = <u64>load<${type}>(${SRC});` : `${address(indexed)} ${readMemory(size, 'rip', 'u64')}`;
  // Keep the last target in the record: the JIT builds regions from observed targets.
  const seen = 'store<u64>(p, rip, R_IMM);';
  if (action === 'call') return `${target} ${wide ? CHECK_CALL : ''} ${push} ${seen} ${note('R_BEHIND')} ${JUMP}`;
  return `${target} ${checkTarget} ${seen} ${JUMP}`;
}

export function branchHandler(row: Operation): string {
  switch (row.action) {
    case 'jcc':
      return `t = ${QUICK[row.condition!] ?? `condition(${row.condition})`}; ${branch('p')}`;
    case 'fall':
      return `t = 0; ${branch('p')}`;
    default:
      if (row.size === undefined) return `t = 1; ${branch('p')}`; // jmp
      return callHandler(row, row.size);
  }
}
