/** What page and terminal ask of a machine; the worker's protocol carries it. */
import type { StagedEdit } from '../machine/index';

/** What a link or a file holds. */
export type ShareKind = 'layout' | 'state' | 'replay';

/** The page's edits of the change set, and what becomes of it. */
export type StageAction =
  | { do: 'begin' }
  | { do: 'stage'; edit: StagedEdit }
  | { do: 'drop'; index: number }
  | { do: 'commit'; legacy: boolean }
  /** Begins a commit that runs phase by phase; no phase has run yet. */
  | { do: 'commit-stepped' }
  /** The next phase of it. */
  | { do: 'step' }
  /** All phases that are left. */
  | { do: 'finish' }
  /** Up to swap 1 it ends a stepped commit and leaves the set open. */
  | { do: 'abort' }
  /** What commits zap from now on. */
  | { do: 'zap'; mode: 'slot' | 'all' };
