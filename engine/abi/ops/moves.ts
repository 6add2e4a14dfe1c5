/** Moves and conversions in line: MOV, MOVZX, MOVSX, LEA, PUSH, POP, XCHG, SETcc, CMOVcc, and the records that compute an address. */
import { ALL_FLAGS, bits, type Form, type Operation, operation, SIZES, type Size, WIDE_SIZES } from './operation';

/** MOV reg, [base + disp] is `rm`, with an index `rx`; to memory `mr` and `xr`. An immediate goes to either by `mi`. */
export const MOVE_FORMS = ['rr', 'ri', 'rm', 'rx', 'mr', 'xr', 'mi'] as const;
/** MOVZX and MOVSX: [mnemonic, from, to]. A zero-extended 32-bit register is a 64-bit one, so MOVZX needs no 64-bit target. */
export const EXTEND = [
  ['movzx', 0, 1],
  ['movzx', 0, 2],
  ['movzx', 1, 2],
  ['movsx', 0, 1],
  ['movsx', 0, 2],
  ['movsx', 0, 3],
  ['movsx', 1, 2],
  ['movsx', 1, 3],
  ['movsx', 2, 3],
] as const;
export const EXTEND_FORMS = ['r', 'm', 'x'] as const;

function move(form: (typeof MOVE_FORMS)[number], size: Size): Operation {
  const access = form === 'rm' || form === 'rx' ? 'read' : form === 'rr' || form === 'ri' ? 'none' : 'write';
  const indexed = form === 'rx' || form === 'xr' || form === 'mi';
  return operation({ name: `mov_${form}${bits(size)}`, family: 'move', action: 'mov', form, size, indexed, access });
}

function extend(action: 'movzx' | 'movsx', from: Size, size: Size): Operation[] {
  return EXTEND_FORMS.map((form) =>
    operation({
      name: `${action}_${bits(from)}_${bits(size)}_${form}`,
      family: 'extend',
      action,
      form,
      size,
      from,
      indexed: form === 'x',
      access: form === 'r' ? 'none' : 'read',
    }),
  );
}

export const moves: readonly Operation[] = [
  ...SIZES.flatMap((size) => MOVE_FORMS.map((form) => move(form, size))),
  ...EXTEND.flatMap(([action, from, size]) => extend(action, from, size)),
];

const lea = (form: 'm' | 'x', size: Size): Operation =>
  operation({ name: `lea_${form}${bits(size)}`, family: 'address', action: 'lea', form, size, indexed: form === 'x' });

/** PUSH, POP and LEAVE with the stack of 64-bit and flat 32-bit code. */
function stack(action: 'push' | 'pop' | 'leave', form: Form, size: Size): Operation {
  const letter = form === 'none' ? '' : `_${form}`;
  const name = `${action}${letter}${bits(size)}`;
  return operation({ name, family: 'stack', action, form, size, mayFault: true, stack: true, segment: 'stack' });
}
const stackOf = (size: Size): Operation[] => [
  stack('push', 'r', size),
  stack('push', 'i', size),
  stack('pop', 'r', size),
  stack('leave', 'none', size),
];

const convert = (name: string, size: Size): Operation => operation({ name, family: 'convert', action: name, form: 'none', size });
/** Records in front of an instruction that store the address of its memory operand in VREG_EA. */
const address = (name: string, form: 'm' | 'x', mayFault = false): Operation =>
  operation({ name, family: 'address', action: 'ea', form, indexed: form === 'x', mayFault, segment: mayFault ? 'operand' : 'none' });

const conditionalMoves = (size: Size): Operation[] =>
  (['r', 'm'] as const).map((form) =>
    operation({
      name: `cmov_${form}${bits(size)}`,
      family: 'condition',
      action: 'cmov',
      form: form === 'r' ? 'rr' : 'rm',
      size,
      indexed: form === 'm',
      access: form === 'm' ? 'read' : 'none',
      reads: ALL_FLAGS,
    }),
  );

export const simple: readonly Operation[] = [
  operation({ name: 'nop', family: 'convert', action: 'nop', form: 'none' }),
  lea('m', 3),
  lea('x', 3),
  lea('m', 2),
  lea('x', 2),
  ...stackOf(3),
  ...stackOf(2),
  convert('cwde', 2),
  convert('cdqe', 3),
  convert('cdq', 2),
  convert('cqo', 3),
  operation({ name: 'setcc_r', family: 'condition', action: 'setcc', form: 'r', size: 0, reads: ALL_FLAGS }),
  ...WIDE_SIZES.map((size) => operation({ name: `bswap${bits(size)}`, family: 'convert', action: 'bswap', form: 'r', size })),
  ...WIDE_SIZES.map((size) => operation({ name: `xchg_rr${bits(size)}`, family: 'exchange', action: 'xchg', form: 'rr', size })),
  // A segment base in 64-bit mode, a 32-bit address, a RIP-relative operand beyond 32 bits of its page's start, a segment's checks.
  address('ea64', 'x'),
  address('ea32', 'x'),
  address('ea_far', 'm'),
  address('ea_segmented', 'x', true),
  ...WIDE_SIZES.flatMap(conditionalMoves),
];
