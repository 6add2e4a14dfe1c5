/** The parts around the page's machine (monitor, loop, figures, recorder, loads). Each reports to the page. */
import { type Machine, Runner, TypedInput } from '../machine/index';
import { CommitLog, Monitor } from '../monitor/index';
import { Recorder } from '../replay/recorder';
import { Loads } from '../shell/loads';
import { linkTo, type Shared } from '../shell/sharing';
import { type JournalInput, layoutFormat, saveMachine } from '../snapshot/index';
import type { ConsoleFeed } from './console-feed';
import type { PageDebugging } from './debugging';
import { Figurer } from './figurer';
import type { FromWorker, ToWorker } from './protocol';
import type { StateFeed } from './state-feed';
import type { StorageClient } from './storage-client';

/** ms between two figures, and between two reports of a snapshot's progress. */
const FIGURES_MS = 250;
const PROGRESS_MS = 100;

/** A machine with its parts. */
export interface Running {
  machine: Machine;
  monitor: Monitor;
  commits: CommitLog;
  runner: Runner;
  figures: Figurer;
  typed: TypedInput;
  recorder: Recorder;
  shared: Shared;
  loads: Loads;
  /** Absent until the machine's initial contents are in place. */
  debugging?: PageDebugging;
}

/** The clocks and timers of the thread. */
export interface Clocks {
  /** ms since 1970 */
  wallClock(): number;
  /** ms, monotonic */
  monotonic(): number;
  yieldTurn(): Promise<void>;
  setTimer(wake: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
}

/** What the parts need from the session. */
export interface Page {
  clocks: Clocks;
  post(message: FromWorker): void;
  storage: StorageClient;
  console: ConsoleFeed;
  states: StateFeed;
  /** Records the input and applies it. */
  take(input: JournalInput): unknown;
  event: Parameters<Machine['subscribe']>[0];
  quit(status: number): void;
  /** The loop ended with an internal error. */
  fatal(error: unknown): void;
}

/** `makeFresh`: a machine like this one, at power-on. */
export function partsOf(
  machine: Machine,
  { linkBase, own = false }: Extract<ToWorker, { type: 'boot' }>,
  makeFresh: () => Promise<Machine>,
  page: Page,
): Running {
  const { clocks, storage, states } = page;
  const post = (message: FromWorker): void => page.post(message);
  const progress = (doing: 'save' | 'load'): ((done: number, total: number) => void) => {
    let reported = clocks.monotonic();
    return (done, total) => {
      const now = clocks.monotonic();
      if (now - reported < PROGRESS_MS) return;
      reported = now;
      post({ type: 'snapshot-progress', doing, done, total });
    };
  };
  const commits = new CommitLog(machine, () => clocks.wallClock());
  const monitor: Monitor = new Monitor(machine, {
    layouts: storage,
    format: {
      ...layoutFormat,
      load: async (_machine, text, name) => (await page.take({ kind: 'layout', name, text })) as string | undefined,
    },
    snapshots: storage.snapshots,
    snapshotFormat: {
      save: (saved, date) => saveMachine(saved, date, progress('save')),
      load: (_machine, bytes) => loads.load(bytes),
    },
    linkBase,
    share: (what) => linkTo(what, shared),
    quit: () => page.quit(0),
    wallClock: () => clocks.wallClock(),
    print: (text) => post({ type: 'monitor-event', text }),
    commits,
  });
  const runner = new Runner({
    machine,
    wallClock: () => clocks.monotonic(),
    yieldTurn: () => clocks.yieldTurn(),
    setTimer: (wake, ms) => clocks.setTimer(wake, ms),
    clearTimer: (timer) => clocks.clearTimer(timer),
    onError: (error) => page.fatal(error),
  });
  let condition: unknown;
  let holes = machine.inspect.holes.total;
  const figures = new Figurer(machine, clocks, FIGURES_MS, (message) => {
    post({ type: 'figures', figures: message });
    if (machine.run.condition !== condition) states.touch(false);
    condition = machine.run.condition;
    // The history attributes the holes since its last commit.
    if (machine.inspect.holes.total !== holes) states.touch(false);
    holes = machine.inspect.holes.total;
    // Retries continue between the phases of a commit.
    if (machine.changeSet.stepping) states.touch(false);
  });
  const typed = new TypedInput(machine.serial, (text) => {
    post({ type: 'monitor-event', text });
    post({ type: 'notice', text });
  });
  const recorder = new Recorder(machine, runner, (reason) => {
    post({
      type: 'monitor-event',
      text: `No replay link can be made: ${reason}. "loadvm" or a reboot starts a new record.`,
    });
    if (recorder.ended !== undefined) running.debugging?.ended();
  });
  const shared = { machine, recorder, makeFresh, linkBase, own, wallClock: () => clocks.wallClock() };
  const loads: Loads = new Loads({
    machine,
    recorder,
    state: monitor.commandContext.state,
    progress: progress('load'),
    wallClock: () => clocks.wallClock(),
  });
  const running: Running = { machine, monitor, commits, runner, figures, recorder, shared, loads, typed };
  machine.serial.onOutput((bytes) => page.console.push(bytes));
  machine.subscribe((event) => page.event(event));
  commits.onChange(() => states.touch(true));
  return running;
}
