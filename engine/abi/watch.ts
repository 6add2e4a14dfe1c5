/**
 * Watches: what the machine's debugger asked the core to detect, in the core's memory at WATCHES. TypeScript writes the table and calls
 * `watchesChanged`; the core records hits and leaves `run` with EXIT_DEBUG. Compiled by both tsc and asc.
 */
import { WATCHES } from './layout';

/** Entries of the table; kind 0 is a free one. */
export const WATCH_LIMIT = 64;
export const WATCH_SIZE = 32;
/** u32 kind: WATCH_*. */
export const WATCH_KIND = 0;
/** u64 first and last address (port, MSR, vector), inclusive: a range up to the top needs no 65th bit. */
export const WATCH_FIRST = 8;
export const WATCH_LAST = 16;

/** An instruction in the range is about to run. */
export const WATCH_EXEC = 1;
/** An instruction, or the delivery of an event, reads or writes bytes of the range. */
export const WATCH_READ = 2;
export const WATCH_WRITE = 4;
/** The range is guest-physical, not linear. With WATCH_EXEC, WATCH_READ or WATCH_WRITE. */
export const WATCH_PHYSICAL = 8;
/** IN (WATCH_READ) or OUT (WATCH_WRITE) at a port of the range. */
export const WATCH_PORT = 16;
/** RDMSR (WATCH_READ) or WRMSR (WATCH_WRITE) of an MSR of the range. */
export const WATCH_MSR = 32;
/** The handler of a vector of the range was entered. */
export const WATCH_VECTOR = 64;

/** u32 hits since `run` began; at most HIT_LIMIT are recorded. */
export const HIT_COUNT = WATCHES + WATCH_LIMIT * WATCH_SIZE;
export const HITS = HIT_COUNT + 32;
export const HIT_LIMIT = 16;
export const HIT_SIZE = 32;
/** u32 number of the watch. */
export const HIT_WATCH = 0;
/** u32 WATCH_READ, WATCH_WRITE or WATCH_EXEC; 0: a vector. */
export const HIT_ACCESS = 4;
/** u64 linear address of the access; port, MSR or vector. */
export const HIT_ADDRESS = 8;
/** u64 its guest-physical address, up to 44 bits. */
export const HIT_GPA = 16;
/** u32 bytes. */
export const HIT_BYTES = 24;

/** One bit per offset in a page at which some breakpoint lies: blocks of watched pages end there. */
export const CODE_OFFSETS = HITS + HIT_LIMIT * HIT_SIZE;
export const CODE_OFFSETS_SIZE = 512;
