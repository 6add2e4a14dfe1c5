/**
 * The device accesses of the running instruction. If it then meets an INVALID memslot, it is run again from its start and takes the values that it
 * has read from here: one instruction must not access a device twice. KVM's emulator does the same with completed MMIO (`mmio_fragments`, `mem_read`
 * of x86_emulate_ctxt). An instruction that faults is different: it did not happen for the guest, and a processor, too, accesses the device again.
 */
import { DONE_MOST, VCPU_DONE_ACCESSES, VCPU_DONE_COUNT, VCPU_DONE_RIP, VCPU_ICOUNT, VCPU_RIP } from '../abi/index';
import { cpu } from './state';

const ENTRY: usize = 16;
export const DONE_READ: u64 = 0;
export const DONE_WRITE: u64 = (<u64>1) << 60;

/** Instruction count of the instruction that the accesses belong to. */
let owner: u64 = <u64>-1;
/** Number of them that this attempt has made or replayed. */
let position: u32 = 0;

/** The value that `wasDone` found. */
export let doneValue: u64 = 0;

/** Called when `run` begins: the vCPU may be in the middle of an instruction. */
export function resumeAccesses(): void {
  // A debugger may have changed RIP.
  if (load<u64>(cpu, VCPU_DONE_RIP) != load<u64>(cpu, VCPU_RIP)) store<u32>(cpu, 0, VCPU_DONE_COUNT);
  owner = load<u64>(cpu, VCPU_ICOUNT);
  position = 0;
}

export function dropAccesses(): void {
  store<u32>(cpu, 0, VCPU_DONE_COUNT);
  position = 0;
}

/** The instruction at RIP, or the delivery of an event there, will be tried again. */
export function holdAccesses(): void {
  if (owner != load<u64>(cpu, VCPU_ICOUNT)) dropAccesses();
  position = 0;
  store<u64>(cpu, load<u32>(cpu, VCPU_DONE_COUNT) ? load<u64>(cpu, VCPU_RIP) : 0, VCPU_DONE_RIP);
}

/** Has the instruction at RIP started, to be retried? Then no event may be taken before it. */
export function inMidst(): bool {
  return load<u32>(cpu, VCPU_DONE_COUNT) != 0 && position == 0 && owner == load<u64>(cpu, VCPU_ICOUNT);
}

/** Called when `run` ends: clears the accesses of completed instructions from the record. */
export function endAccesses(): void {
  if (inMidst()) return;
  dropAccesses();
  store<u64>(cpu, 0, VCPU_DONE_RIP);
}

@inline
function entryAt(index: u32): usize {
  return cpu + VCPU_DONE_ACCESSES + <usize>index * ENTRY;
}

/** Did an earlier attempt do this access? Then its value is in doneValue. Otherwise the caller does it and calls `noteDone`. */
export function wasDone(kind: u64, gpa: u64, size: i32): bool {
  const count = load<u64>(cpu, VCPU_ICOUNT);
  if (owner != count) {
    owner = count;
    dropAccesses();
  }
  if (position >= load<u32>(cpu, VCPU_DONE_COUNT)) return false;
  const entry = entryAt(position);
  if (load<u64>(entry) != (gpa | ((<u64>size) << 56) | kind)) {
    // The guest has changed the instruction since.
    store<u32>(cpu, position, VCPU_DONE_COUNT);
    return false;
  }
  doneValue = load<u64>(entry, 8);
  position++;
  return true;
}

export function noteDone(kind: u64, gpa: u64, size: i32, value: u64): void {
  if (position >= <u32>DONE_MOST) return;
  const entry = entryAt(position);
  store<u64>(entry, gpa | ((<u64>size) << 56) | kind);
  store<u64>(entry, value, 8);
  store<u32>(cpu, ++position, VCPU_DONE_COUNT);
}
