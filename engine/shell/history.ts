/** The machine's past, for a gdb that goes back: checkpoints, and the inputs that a recorder has. */
import { type Journal, Reverse } from '../debug/index';
import { type Machine, TypedInput } from '../machine/index';
import { type CommitLog, Monitor } from '../monitor/index';
import type { Recorder } from '../replay/recorder';
import { applyInput, type Reached } from '../shell/inputs';
import { layoutFormat } from '../snapshot/index';

export interface HistoryOptions {
  machine: Machine;
  recorder: Recorder;
  commits: CommitLog;
  wallClock(): number;
}

export function historyOf({ machine, recorder, commits, wallClock }: HistoryOptions): Reverse {
  // What is done again is what was done: it needs no files.
  const none = async (): Promise<never> => {
    throw new Error('an input that is done again has no saved layouts');
  };
  const layouts = { get: none, set: none, delete: none, keys: async () => [] };
  const monitor = new Monitor(machine, { layouts, format: layoutFormat, linkBase: '', quit: () => {}, wallClock, commits });
  const reached: Reached = { machine, monitor, commits, typed: new TypedInput(machine.serial, () => {}) };
  const journal: Journal = {
    get length() {
      return recorder.length;
    },
    at: (index) => recorder.entry(index).at,
    redo: (index) => Promise.resolve(applyInput(recorder.entry(index).input, reached)).catch(() => {}),
    past: (stands) => {
      recorder.playing = stands;
    },
  };
  const reverse = new Reverse({ machine, journal, wallClock });
  machine.subscribe((event) => {
    // A snapshot was loaded: the recorder begins anew a moment later, and so does history.
    if (event.type === 'restored') setImmediate(() => reverse.begin());
  });
  return reverse;
}
