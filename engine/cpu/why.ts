/** Why `execute` came back, and where. */
import { mode } from './mmu-mode';

/** The instruction at the leave point could not complete (see `pending`). */
export const WHY_FAULT: i32 = 0;
/** The instruction before the leave point asked to stop (MMIO, or it wrote to code). */
export const WHY_STOP: i32 = 1;
/** Inside `execute` only: next or target block not known yet. The order matters: WHY_FALL + taken. */
export const WHY_FALL: i32 = 2;
export const WHY_TAKEN: i32 = 3;
/** Inside `execute` only: near jump to a computed address. */
export const WHY_JUMP: i32 = 4;
/** The block at the leave point does not fit into the slice. */
export const WHY_OVER: i32 = 5;
/** The instruction at the leave point retired and left VCPU_RIP. */
export const WHY_LEAVE: i32 = 6;
/** No instruction could be fetched at VCPU_RIP (see `pending`). */
export const WHY_FETCH: i32 = 7;

export let leavePoint: usize = 0;
export function setLeavePoint(p: usize): void {
  leavePoint = p;
}

/** What decoded code depends on besides its bytes: code size, stack size, flat segments, a CS limit; and whether alignment is checked. */
@inline export function blockKey(): u32 {
  return (mode >> 2) & 0xf7;
}
/** Bits of the key: the MODE_* ones of the same names. */
export const KEY_64: u32 = 1;
export const KEY_32: u32 = 2;
export const KEY_STACK32: u32 = 4;
export const KEY_FLAT: u32 = 0x10;
export const KEY_NARROW: u32 = 0x20;
export const KEY_ALIGN: u32 = 0x40;
export const KEY_LIMITED: u32 = 0x80;
