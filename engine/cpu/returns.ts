/**
 * Where returns go: a CALL notes, under the address of its return address, the cell of its record that names the block behind it. A RET finds the
 * cell there, so it knows a block while the loads that find one through the TLB and the hash of blocks are still to come, each after the one before.
 * All of it is a guess, which the interpreter checks as it checks a block from the hash: code that changes stacks or is compiled keeps no order here.
 */
import { ARENA_BASE, RETURN_MASK, RETURN_NONE, RETURN_SLOTS } from '../abi/index';

@inline
function slotOf(va: u64): usize {
  return <usize>RETURN_SLOTS + (<usize>(va >> 1) & RETURN_MASK);
}

/** A CALL has pushed its return address at va. `cell`: in its record. That of a block which runs once is another block's later. */
@inline
export function noteCall(va: u64, cell: usize): void {
  store<u32>(slotOf(va), cell < <usize>ARENA_BASE ? RETURN_NONE : <u32>cell);
}

/** The cell of the CALL whose return address seems to lie at va. */
@inline
export function cellOfCall(va: u64): usize {
  return <usize>load<u32>(slotOf(va));
}

/** All records are gone: no slot points to one. */
export function forgetCalls(): void {
  for (let at: usize = 0; at <= <usize>RETURN_MASK; at += 4) store<u32>(<usize>RETURN_SLOTS + at, RETURN_NONE);
  store<u32>(RETURN_NONE, 0);
}
