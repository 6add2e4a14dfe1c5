/** Why the interpreter's `execute` came back, and where: the record at the leave point. Compiled by both tsc and asc. */

/** The instruction at the leave point could not complete (see `pending`). */
export const WHY_FAULT = 0;
/** The instruction before the leave point asked to stop (MMIO, or it wrote to code). */
export const WHY_STOP = 1;
/** Inside `execute` only: next or target block not known yet. The order matters: WHY_FALL + taken. */
export const WHY_FALL = 2;
export const WHY_TAKEN = 3;
/** Inside `execute` only: near jump to a computed address. */
export const WHY_JUMP = 4;
/** The block at the leave point does not fit into the slice. */
export const WHY_OVER = 5;
/** The instruction at the leave point retired and left VCPU_RIP. */
export const WHY_LEAVE = 6;
/** No instruction could be fetched at VCPU_RIP (see `pending`). */
export const WHY_FETCH = 7;
/** The last instruction could not complete, and its exception is delivered, or could not be either (going-on.ts). VCPU_RIP is where it goes on. */
export const WHY_EVENT = 8;
/** Inside `execute` only: it goes on at VCPU_RIP, in a mode that may be another one. */
export const WHY_AGAIN = 9;
/** The same behind the far transfer at the leave point. */
export const WHY_FAR = 10;
