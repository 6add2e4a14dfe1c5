/**
 * Two optimizations of flags within a block. A compare (or simple arithmetic) directly before a conditional branch is fused with it into one handler.
 * An instruction whose flags are overwritten before anything can read them gets a handler that does not store them; only instructions that cannot
 * fault may lie between the two, so that no fault shows stale flags.
 */
import { joinedForm, NO_OPERATION, quietForm, TRAIT_KEEPS_FLAGS, TRAIT_SETS_FLAGS, traitsOf } from './generated/lookups';
import { opOf, RECORD_SIZE, setOp } from './record';

/** The last instruction whose flags have not been read yet, if it has a quiet form. */
let candidate: usize = 0;
/** The last record of the instruction before this one, or 0 at the block's start. */
let previous: usize = 0;

export function startFlags(): void {
  candidate = 0;
  previous = 0;
}

/** Fuses the branch record at r with the instruction before it, if there is a handler for the pair. */
export function joinWithBranch(r: usize, condition: u32): void {
  if (previous == 0 || previous + RECORD_SIZE != r) return;
  const op = joinedForm(opOf(previous), condition);
  if (op != NO_OPERATION) setOp(previous, op);
}

/** An instruction with the records [first, end) was decoded. */
export function finishFlags(first: usize, end: usize): void {
  previous = end - RECORD_SIZE;
  if (previous != first) {
    candidate = 0;
    return;
  }
  const op = opOf(first);
  const traits = traitsOf(op);
  if (traits & TRAIT_KEEPS_FLAGS) return;
  const setsFlags = (traits & TRAIT_SETS_FLAGS) != 0;
  if (setsFlags && candidate != 0) setOp(candidate, quietForm(opOf(candidate)));
  candidate = setsFlags && quietForm(op) != NO_OPERATION ? first : 0;
}
