/**
 * What the page keeps, and how much of it: every list here that grows with time is one of these, so an evening costs no more memory than its first
 * minutes. The worker's are the engine's: commits that can be undone (engine/monitor/commit-log.ts, engine/memory/history.ts) and the inputs of a
 * replay (engine/snapshot/journal.ts). `npm run soak -- page-memory` watches the sum.
 */

/** Lines above the screen of each terminal: with 80 columns about 5 MiB when full. */
export const SCROLLBACK_LINES = 5000;
/** Lines of the monitor that the up arrow brings back, and characters of each. */
export const LINE_HISTORY = 500;
export const LINE_LENGTH = 4096;
/** Characters of the guest's console while no terminal shows it. */
export const UNSHOWN_CONSOLE = 2 ** 20;
/** Seconds of live figures, ten a second, for the charts. */
export const TRAIL_SECONDS = 120;
/** Bytes of a machine that is kept for a way back, one at a time. */
export const KEPT_MACHINE = 2 ** 28;
/** Own guests that are kept in the browser's storage, and bytes of the files of one. */
export const KEPT_GUESTS = 4;
export const KEPT_GUEST_BYTES = 128 * 2 ** 20;
