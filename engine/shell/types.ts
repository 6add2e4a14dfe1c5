/** Requests of page and terminal to a machine; the worker's protocol carries them. */
import type { StagedEdit } from '../machine/index';

/** Contents of a link or file. */
export type ShareKind = 'layout' | 'state' | 'replay';

/** The page's actions on the change set. */
export type StageAction =
  | { do: 'begin' }
  | { do: 'stage'; edit: StagedEdit }
  | { do: 'drop'; index: number }
  | { do: 'commit'; legacy: boolean }
  /** Starts a commit that runs phase by phase; no phase has run yet. */
  | { do: 'commit-stepped' }
  /** Runs its next phase. */
  | { do: 'step' }
  /** Runs all remaining phases. */
  | { do: 'finish' }
  /** Before swap 1, ends a stepped commit and leaves the set open. */
  | { do: 'abort' }
  /** Sets what commits zap. */
  | { do: 'zap'; mode: 'slot' | 'all' };
