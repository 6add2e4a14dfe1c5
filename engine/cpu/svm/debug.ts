/** Debug registers between host and guest: both use DR0 to DR3, and VMRUN and #VMEXIT load DR7 (APM 2 15.5, 15.6). */
import { VCPU_DR7, VCPU_PENDING_DEBUG } from '../../abi/index';
import { cpu } from '../state';
import { watchesChanged } from '../watches-changed';

/** DR7: a breakpoint is enabled. */
const ENABLED: u32 = 0xff;

/** Called after a switch between host and guest. `before`: DR7 of the side that was left; its pending traps are dropped. */
export function debugRegistersChanged(before: u32): void {
  store<u32>(cpu, 0, VCPU_PENDING_DEBUG);
  if ((before | load<u32>(cpu, VCPU_DR7)) & ENABLED) watchesChanged();
}
