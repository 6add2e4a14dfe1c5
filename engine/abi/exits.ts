/** Why the core's `run` returned, and the bits of the answers it gets. Compiled by both tsc and asc. */

/** The slice's instructions are used up. */
export const EXIT_BUDGET = 0;
/** HLT with interrupts to wait for: nothing to do until VCPU_IRQ_PENDING or VCPU_NMI_PENDING is set. */
export const EXIT_HLT = 1;
/** Triple fault: the vCPU is shut down; the record holds the registers at the fault. */
export const EXIT_SHUTDOWN = 2;
/** The instruction met a page of an INVALID memslot. Nothing was changed: run it again, as KVM x86 does. */
export const EXIT_RETRY = 3;
/** VCPU_EXIT_REQUEST was set by a device or by the driver; the instruction that caused it has retired. */
export const EXIT_REQUESTED = 4;
/** VCPU_BREAK_ICOUNT was reached. */
export const EXIT_BREAK = 5;
/** Instruction fetch from a gpa that no memslot maps (KVM's KVM_EXIT_INTERNAL_ERROR). */
export const EXIT_INTERNAL_ERROR = 6;
/** A watch of the debugger was hit (watch.ts). A breakpoint's instruction has not run yet; every other access has happened. */
export const EXIT_DEBUG = 7;

/** `lookup` answers: hva of the page in the upper 20 bits, these in the lower 12. 0: no memslot, MMIO. */
export const PAGE_PRESENT = 1;
/** Slot is READONLY: reads and fetches use RAM, a write is an MMIO exit. */
export const PAGE_READONLY = 2;
/** Page is under dirty logging and clean: the first write must call `markDirty` before a write tag may be set. */
export const PAGE_CLEAN = 4;
/** Slot is INVALID (between the two swaps of a commit): leave with EXIT_RETRY. */
export const PAGE_INVALID = 8;

/** `log` codes. */
/** Opcode that is not implemented: args are the linear address (low, high); the record's LOG_BYTES holds the bytes. */
export const LOG_UNIMPLEMENTED = 1;
/** RDMSR/WRMSR of an unknown MSR: args are the index and 0 (read) or 1 (write). */
export const LOG_MSR = 2;
/** Triple fault: args are the first and the last vector. */
export const LOG_TRIPLE = 3;
/** The processor lacks something, hence #GP: args are ABSENT_* and a selector or vector. */
export const LOG_ABSENT = 4;
/** An exception is delivered, and `traceExceptions` is on: args are its vector and error code. */
export const LOG_EXCEPTION = 5;
/** JMP or CALL to a TSS or task gate. */
export const ABSENT_TASK_SWITCH = 1;
/** Task gate in the IDT. */
export const ABSENT_TASK_GATE = 2;
/** IRET with NT set. */
export const ABSENT_NESTED_TASK = 3;
/** IRET that sets VM. */
export const ABSENT_VIRTUAL_8086 = 4;
