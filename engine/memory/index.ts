/** The memslot engine's public door. */
export { ChangeSet, regionOf, type SlotDiff } from './change-set';
export { CommitRun, type PhaseTime } from './commit';
export { type ClearDirtyLog, type DirtyLogAnswer, type Done, INITIALLY_SET, MANUAL_PROTECT, type SavedRings } from './dirty-log';
export { DirtyRing, ENTRY_BYTES as DIRTY_RING_ENTRY_BYTES, type RingEntry, type SavedRing } from './dirty-ring';
export { DEFAULT_INDEX, MemslotEngine, type Timeline } from './engine';
export type { Footprint } from './footprint';
export { GfnCache } from './gfn-cache';
export type { IndexKind, IndexShape } from './gfn-index';
export type { HistoryEntry } from './history';
export type { IndexPicture, PictureCell, PictureNode } from './index-picture';
export type { IndexStep } from './index-trace';
export type { IndexLookup, IndexSetView, IndexStructure, IndexView, Standing } from './index-view';
export { DEFAULT_MAX_SLOTS, MAX_PAGES } from './limits';
export type { CommitRequest } from './requests';
export { MEMSLOT_INVALID } from './slot-table';
export * from './types';
export type { Regions } from './verbs';
