/** Control transfers in line. All end their block. */
import { type Form, flagsOfCondition, type Operation, operation, type Size } from './operation';

/** The record of a near branch holds its target: `near` jumps to another record once that is known. */
const branch = (name: string, action: string, given: Partial<Operation> = {}): Operation =>
  operation({ name, family: 'branch', action, form: 'near', ends: true, ...given });

function through(action: 'call' | 'jmp', form: 'r' | 'm', size: Size): Operation {
  const pushes = action === 'call';
  return branch(`${action}_${form}${8 << size}`, action, {
    form,
    size,
    indexed: form === 'm',
    access: form === 'm' ? 'read' : 'none',
    mayFault: true,
    stack: pushes,
    segment: form === 'm' ? (pushes ? 'either' : 'operand') : pushes ? 'stack' : 'none',
  });
}

const onStack = (action: 'call' | 'ret', form: Form, size: Size): Operation =>
  branch(`${action}${8 << size}`, action, { form, size, mayFault: true, stack: true, segment: 'stack' });

/** CALL, JMP and RET of 64-bit code, and of flat 32-bit code, where no target is outside CS. */
const calls = (size: Size): Operation[] => [
  onStack('call', 'near', size),
  through('call', 'r', size),
  through('call', 'm', size),
  through('jmp', 'r', size),
  through('jmp', 'm', size),
  onStack('ret', 'i', size),
];

export const branches: readonly Operation[] = [
  ...Array.from({ length: 16 }, (_, condition) => branch(`j${condition}`, 'jcc', { condition, reads: flagsOfCondition(condition) })),
  branch('jmp', 'jmp'),
  /** Continues after a block that no instruction ends. */
  branch('fall', 'fall'),
  ...calls(3),
  ...calls(2),
];
