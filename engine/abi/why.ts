/** Why the interpreter's `execute` returned, and where: the record at the leave point. Compiled by both tsc and asc. */

/** The instruction at the leave point could not complete (see `pending`). */
export const WHY_FAULT = 0;
/** The instruction before the leave point requested a stop (MMIO, or it wrote to code). */
export const WHY_STOP = 1;
/** Inside `execute` only: next or target block not known yet. The order matters: WHY_FALL + taken. */
export const WHY_FALL = 2;
export const WHY_TAKEN = 3;
/** Inside `execute` only: near jump to a computed address. */
export const WHY_JUMP = 4;
/** The block at the leave point does not fit into the slice. */
export const WHY_OVER = 5;
/** The instruction at the leave point retired and set VCPU_RIP. */
export const WHY_LEAVE = 6;
/** No instruction could be fetched at VCPU_RIP (see `pending`). */
export const WHY_FETCH = 7;
/**
 * The last instruction could not complete. Its exception was delivered, or could not be delivered either (going-on.ts). VCPU_RIP is where execution
 * continues.
 */
export const WHY_EVENT = 8;
/** Inside `execute` only: execution continues at VCPU_RIP, maybe in a different mode. */
export const WHY_AGAIN = 9;
/** The same, after the far transfer at the leave point. */
export const WHY_FAR = 10;
/** Inside `execute` only: near return. */
export const WHY_RETURN = 11;
