/** Where `execute` returned (why: abi/why.ts), and the key of the running code. */
import { KEY_MASK, KEY_SHIFT, mode } from './mmu-mode';

export { KEY_32, KEY_64, KEY_ALIGN, KEY_FLAT, KEY_GUEST, KEY_LIMITED, KEY_NARROW, KEY_STACK32, KEY_WATCHED } from '../abi/mode';
export * from '../abi/why';

export let leavePoint: usize = 0;
export function setLeavePoint(p: usize): void {
  leavePoint = p;
}

/** The mode key (abi/mode.ts) of the current mode. */
@inline
export function blockKey(): u32 {
  return (mode >> KEY_SHIFT) & KEY_MASK;
}
