/**
 * The journal of a machine: every input with the position at which it came, from power-on or from the snapshot that was loaded last. It is
 * kept all the time, since a link may be wanted later; it ends, with a reason, when it would grow beyond its bounds.
 */
import { type Machine, MachineError, type Position, type Runner } from '../machine/index';
import { fitsJournal, type JournalEntry, type JournalInput, MAX_INPUTS, MAX_JOURNAL, sizeOf } from '../snapshot/index';

/** Bytes of a machine file that a journal may start from. */
const MAX_BASE = 1024 * 1024;

export type JournalBase = { kind: 'power-on'; layout?: string } | { kind: 'state'; file: Uint8Array };

export interface Recording {
  base: JournalBase;
  start: Pick<Position, 'instructions' | 'timeNs'>;
  entries: readonly JournalEntry[];
  end: Position;
}

/** What of a monitor's or machine's own state outlives a loaded snapshot. */
interface Kept {
  vcpu: number;
}

export class Recorder {
  /** A journal is being played: nothing else reaches the machine. */
  playing = false;
  /** The machine is in its past: only recorded inputs reach it. */
  past = false;
  /** It begins anew, from a snapshot. */
  onStart: (() => void) | undefined;
  private base: JournalBase = { kind: 'power-on' };
  private start: Recording['start'] = { instructions: 0, timeNs: 0 };
  private entries: JournalEntry[] = [];
  private bytes = 0;
  private reason: string | undefined;
  /** Inputs are written down still, but what they begin with is too large for a replay: why. */
  private baseReason: string | undefined;
  private restored: Position | undefined;
  /** Inputs that are being done: those that take several turns. */
  private taking = 0;

  constructor(
    private readonly machine: Machine,
    private readonly runner: Pick<Runner, 'hold'>,
    /** It ended: why no replay can be made any more. */
    private readonly onEnd: (reason: string) => void,
  ) {
    machine.subscribe((event) => {
      if (event.type === 'restored') this.restored = machine.run.position;
      // A replay has no breakpoints: there it is stopped at the same place.
      if (event.type === 'watch-stop' && !this.playing && !this.past)
        this.push({ ...machine.run.position, running: true }, { kind: 'run', action: 'stop' });
    });
  }

  /** The machine has not run yet: it starts with this layout instead of its own. */
  startWith(layout: string): void {
    this.base = { kind: 'power-on', layout };
  }

  /** The machine was put into the state of this file. */
  startFrom(file: Uint8Array, kept: Kept): void {
    const { machine } = this;
    const at = this.restored ?? machine.run.position;
    this.base = { kind: 'state', file };
    this.start = { instructions: at.instructions, timeNs: at.timeNs };
    this.entries = [];
    this.bytes = 0;
    this.reason = undefined;
    this.baseReason = undefined;
    if (file.length > MAX_BASE) {
      this.baseReason = `it continues from a snapshot of ${file.length} bytes, a replay may contain at most ${MAX_BASE}`;
      this.onEnd(this.baseReason);
    }
    // What the file does not say; in a new machine it has to be done.
    const then = { ...at, running: machine.run.state === 'running' || machine.run.state === 'paused' };
    if (kept.vcpu !== 0) this.push(then, { kind: 'line', line: `cpu ${kept.vcpu}` });
    if (machine.run.breakCount !== undefined) this.push(then, { kind: 'line', line: `replay_break ${machine.run.breakCount}` });
    if (machine.run.state === 'paused') this.push(then, { kind: 'run', action: 'stop' });
    this.onStart?.();
  }

  /** Inputs from this one on never came: the machine was put back to before it, and stands. `ran`: it ran there then. */
  drop(from: number, ran: boolean): void {
    for (const { input } of this.entries.splice(from)) this.bytes -= sizeOf(input);
    if (ran) this.push({ ...this.machine.run.position, running: true }, { kind: 'run', action: 'stop' });
  }

  /** Writes the input down and does it. The machine does not run meanwhile, however many steps that has. MachineError where nothing may reach it. */
  take<T>(input: JournalInput, action: () => T): T {
    if (this.playing) throw new MachineError('a replay is running: cancel it, or wait for its end');
    if (this.past) throw new MachineError('the machine is in its past: go to the present first, or start a new run here');
    return this.note(input, action);
  }

  /** An input is being done that takes several turns: the next one has to wait. */
  get busy(): boolean {
    return this.taking > 0;
  }

  /** What happens from now on is not in the journal: no replay can be made any more. */
  cut(reason: string): void {
    if (this.reason === undefined) this.end(reason);
  }

  /** As `take`, for the player of a journal. */
  note<T>(input: JournalInput, action: () => T): T {
    const free = this.runner.hold();
    this.taking += 1;
    const release = (): void => {
      this.taking -= 1;
      free();
    };
    let result: T | undefined;
    try {
      this.machine.run.catchUp();
      this.push(this.machine.run.position, input);
      result = action();
      return result instanceof Promise ? (result.finally(release) as T) : result;
    } finally {
      if (!(result instanceof Promise)) release();
    }
  }

  /** Inputs so far, and one of them. */
  get length(): number {
    return this.entries.length;
  }

  entry(index: number): JournalEntry {
    return this.entries[index]!;
  }

  /** Why inputs are not written down any more; undefined: they are. */
  get ended(): string | undefined {
    return this.reason;
  }

  /** Up to now; the reason when there is no replay of this machine. */
  recording(): Recording | string {
    const none = this.reason ?? this.baseReason;
    if (none !== undefined) return none;
    this.machine.run.catchUp();
    return { base: this.base, start: this.start, entries: [...this.entries], end: this.machine.run.position };
  }

  private push(at: Position, input: JournalInput): void {
    if (this.reason !== undefined) return;
    this.bytes += sizeOf(input);
    if (!fitsJournal(input)) this.end('a single input was longer than a journal allows');
    else if (this.entries.length >= MAX_INPUTS) this.end(`more than ${MAX_INPUTS} inputs came`);
    else if (this.bytes > MAX_JOURNAL) this.end(`its inputs have more than ${MAX_JOURNAL} bytes`);
    else this.entries.push({ at, input });
  }

  private end(reason: string): void {
    this.reason = reason;
    this.entries = [];
    this.onEnd(reason);
  }
}
