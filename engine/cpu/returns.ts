/**
 * Guesses where returns go. A CALL stores the address of a cell of its record, which names the block after the CALL, in a slot chosen by the stack
 * address of its return address. A RET finds the cell there, so it knows a block before the loads through the TLB and the hash of blocks, each of
 * which depends on the one before, are done. The interpreter checks the guess as it checks a block from the hash: code that switches stacks, and
 * compiled code, do not maintain the slots.
 */
import { ARENA_BASE, RETURN_MASK, RETURN_NONE, RETURN_SLOTS } from '../abi/index';

@inline
function slotOf(va: u64): usize {
  return <usize>RETURN_SLOTS + (<usize>(va >> 1) & RETURN_MASK);
}

/** A CALL has pushed its return address at va. `cell`: in its record; ignored in a block that runs once, whose memory another block will use. */
@inline
export function noteCall(va: u64, cell: usize): void {
  store<u32>(slotOf(va), cell < <usize>ARENA_BASE ? RETURN_NONE : <u32>cell);
}

/** The cell of the CALL whose return address seems to be at va. */
@inline
export function cellOfCall(va: u64): usize {
  return <usize>load<u32>(slotOf(va));
}

/** All records were dropped: clears the slots. */
export function forgetCalls(): void {
  for (let at: usize = 0; at <= <usize>RETURN_MASK; at += 4) store<u32>(<usize>RETURN_SLOTS + at, RETURN_NONE);
  store<u32>(RETURN_NONE, 0);
}
