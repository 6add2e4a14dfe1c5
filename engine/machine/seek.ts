/**
 * Runs a guest one instruction after another to a place in its code, for a debugger. The other vCPUs run in their turns, and sleep is skipped. The
 * place where it stops is an ordinary position: it does nothing to the machine but run and stop it.
 */
import { VCPU_GPR, VCPU_RIP } from '../abi/vcpu';
import type { Seek, SeekGoal } from './api';
import type { Traveller } from './position';
import type { Vcpu } from './vcpu';

const RSP = VCPU_GPR + 4 * 8;
/** Instructions between two reads of the wall clock. */
const LOOK = 64;
/** Timers without effect in a row until the wait ends. */
const FRUITLESS = 500_000;

export function seeker(traveller: Traveller, vcpu: Vcpu, { rip, rsp }: Omit<SeekGoal, 'vcpu'>): Seek {
  const { executor } = traveller;
  const began = vcpu.icount;
  const low = Number(BigInt.asUintN(32, rip ?? 0n));
  const high = Number(BigInt.asUintN(64, rip ?? 0n) >> 32n);
  const arrived = (): boolean => {
    if (vcpu.icount === began) return false;
    if (rip === undefined) return true;
    if (vcpu.u32(VCPU_RIP) !== low || vcpu.u32(VCPU_RIP + 4) !== high) return false;
    return rsp === undefined || vcpu.u64(RSP) >= rsp;
  };
  let sleeps = 0;
  let awake = traveller.instructions();
  return (most, deadline) => {
    const end = traveller.instructions() + most;
    for (let steps = 1; ; steps++) {
      if (arrived()) return 'there';
      if (!traveller.running()) return 'ended';
      if (traveller.instructions() >= end) return 'most';
      if (steps % LOOK === 0 && traveller.wallClock() >= deadline) return 'going';
      const result = traveller.advance(1);
      if (result === 'retry') return 'asleep';
      if (result !== 'idle') continue;
      if (awake !== traveller.instructions()) sleeps = 0;
      awake = traveller.instructions();
      const { next } = executor.clock;
      if (next === undefined || traveller.anyHeld() || ++sleeps > FRUITLESS) return 'asleep';
      executor.skipTo(next);
    }
  };
}
