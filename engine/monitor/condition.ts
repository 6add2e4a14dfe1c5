/** Conditions of breakpoints: expressions of the monitor, compared with == != < <= > >= (unsigned), joined by && and ||. */
import type { Machine } from '../machine/index';
import { type RegisterLookup, readExpression } from './expr';
import { registerValue } from './registers';
import { CommandError, UsageError } from './types';

const COMPARE: Record<string, (a: bigint, b: bigint) => boolean> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
};

/** The condition as a predicate of a vCPU. CommandError if the text is not a condition. */
export function parseCondition(text: string, machine: Machine): (vcpu: number) => boolean {
  const holds = (registers: RegisterLookup): boolean =>
    text.split('||').some((either) => either.split('&&').every((term) => compare(term, registers)));
  try {
    holds((name) => registerValue(machine.inspect.registers(0), name));
  } catch (error) {
    if (error instanceof UsageError)
      throw new CommandError(`'${text}' is not a condition (${error.message}): use $rax==1, $rdi>0x1000&&$rsi!=0`);
    throw error;
  }
  return (vcpu) => {
    const registers = machine.inspect.registers(vcpu);
    return holds((name) => registerValue(registers, name));
  };
}

function compare(text: string, registers: RegisterLookup): boolean {
  const left = readExpression(text, 0, registers);
  const rest = text.slice(left.end).trimStart();
  if (rest === '') return left.value !== 0n;
  const operator = ['==', '!=', '<=', '>=', '<', '>'].find((each) => rest.startsWith(each));
  if (!operator) throw new UsageError(`'${rest}' is not a comparison`);
  const right = readExpression(rest, operator.length, registers);
  if (rest.slice(right.end).trim() !== '') throw new UsageError(`unexpected text after it: '${rest.slice(right.end).trim()}'`);
  return COMPARE[operator]!(left.value, right.value);
}
