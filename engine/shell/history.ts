/** The machine's past for reverse execution: checkpoints, and the inputs of a recorder. */
import { type Journal, Reverse } from '../debug/index';
import { type Machine, type Runner, TypedInput } from '../machine/index';
import { type CommitLog, Monitor } from '../monitor/index';
import type { Recorder } from '../replay/recorder';
import { layoutFormat } from '../snapshot/index';
import { applyInput, type Reached } from './inputs';

export interface HistoryOptions {
  machine: Machine;
  recorder: Recorder;
  commits: CommitLog;
  /** ms, monotonic */
  wallClock(): number;
  /** Lets other events be handled. */
  turn?(): Promise<void>;
  /** Keeps others from running the machine while it moves through its past. */
  runner?: Pick<Runner, 'hold'>;
  /** Called at the end of each move through the past. */
  arrived?(): void;
  /** Limit of all checkpoints, bytes. */
  bytes?: number;
}

/** Starts the history now, and again when a snapshot is loaded. */
export function historyOf({ machine, recorder, commits, wallClock, turn, runner, bytes, arrived }: HistoryOptions): Reverse {
  // Repeated inputs do the same as before and need no files.
  const none = async (): Promise<never> => {
    throw new Error('a replayed input has no saved layouts');
  };
  const layouts = { get: none, set: none, delete: none, keys: async () => [] };
  const monitor = new Monitor(machine, { layouts, format: layoutFormat, linkBase: '', quit: () => {}, wallClock, commits });
  const reached: Reached = { machine, monitor, commits, typed: new TypedInput(machine.serial, () => {}) };
  const journal: Journal = {
    get length() {
      return recorder.length;
    },
    at: (index) => recorder.entry(index).at,
    // An input that was refused is refused again.
    redo: async (index) => {
      try {
        await applyInput(recorder.entry(index).input, reached);
      } catch {}
    },
    past: (stands) => {
      recorder.past = stands;
    },
    drop: (from, ran) => recorder.drop(from, ran),
    keep: () => commits.keep(),
    putBack: (kept) => commits.putBack(kept as ReturnType<CommitLog['keep']>),
  };
  const reverse = new Reverse({
    machine,
    journal,
    wallClock,
    ...(turn && { turn }),
    ...(arrived && { arrived }),
    ...(runner && { hold: () => runner.hold() }),
    ...(bytes !== undefined && { bytes }),
  });
  recorder.onStart = () => {
    reverse.begin();
    arrived?.();
  };
  return reverse;
}
