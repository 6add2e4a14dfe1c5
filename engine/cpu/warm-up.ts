/**
 * A head start for the engine's optimising compiler. Engines run WebAssembly unoptimised at first, and optimise a function on another thread once it
 * is busy. For the interpreter's loop, one large function, that takes a tenth of a second, in which the guest would run at a fifth of its speed. So
 * this keeps the loop busy as soon as the core is loaded: the compiler works while the machine is built and its guest placed.
 */
import { VCPU_LEFT, VCPU_SCRATCH } from '../abi/index';
import { execute } from './generated/interp';
import { OP_JMP } from './generated/ops';
import { clearRecord, describeBlock, setBranchLink } from './record';
import { cpu } from './state';

/** V8 needs some ten rounds, weighted by the code that each passes; other engines count rounds, up to a thousand or so. */
const ROUNDS: i32 = 2000;

/** Runs a block of one jump to itself. Nothing of the vCPU's state is touched. */
export function warmUp(): void {
  const block = describeBlock(cpu + VCPU_SCRATCH, 0, 0, 1, 1);
  clearRecord(block, OP_JMP);
  setBranchLink(block, 1, block);
  store<i32>(cpu, ROUNDS, VCPU_LEFT);
  execute(block);
  store<i32>(cpu, 0, VCPU_LEFT);
}
