/**
 * Bounds of everything that the page keeps. Every list that grows with time has one, so memory use stays constant after the first minutes. The
 * worker's are the engine's: commits that can be undone (engine/monitor/commit-log.ts, engine/memory/history.ts) and the inputs of a replay
 * (engine/snapshot/journal.ts). `npm run soak -- page-memory` checks the total.
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
/** Bytes of a machine kept for undo, one at a time. */
export const KEPT_MACHINE = 2 ** 28;
/** Own guests that are kept in the browser's storage, and bytes of the files of one. */
export const KEPT_GUESTS = 4;
export const KEPT_GUEST_BYTES = 128 * 2 ** 20;
