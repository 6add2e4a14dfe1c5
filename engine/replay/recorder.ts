/**
 * The journal of a machine: every input with its position, from power-on or from the snapshot that was loaded last. It is always kept, since a link
 * may be wanted later; it ends, with a reason, when it would exceed its limits.
 */
import { type Machine, MachineError, type Position, type Runner } from '../machine/index';
import { fitsJournal, type JournalEntry, type JournalInput, MAX_INPUTS, MAX_JOURNAL, sizeOf } from '../snapshot/index';

/** Largest machine file from which a journal may start, bytes. */
const MAX_BASE = 1024 * 1024;
/** Why a machine that went back takes no input, and has no replay: some of its inputs lie ahead. */
const IN_PAST = 'the machine is in its past: go to the present first, or start a new run here';

/** Monitor lines that are the same before and after an event's delivery. */
const MOVES_NOTHING = /^\s*(?:s|stop|c|cont|cpu\s.*)\s*$/;

/** Does it leave the guest, its memory and its devices as they are, so that an event may be delivered before it or after it? */
const movesNothing = (input: JournalInput): boolean =>
  input.kind === 'run' ? input.action !== 'reset' : input.kind === 'line' && MOVES_NOTHING.test(input.line);

export type JournalBase = { kind: 'power-on'; layout?: string } | { kind: 'state'; file: Uint8Array };

export interface Recording {
  base: JournalBase;
  start: Pick<Position, 'instructions' | 'timeNs'>;
  entries: readonly JournalEntry[];
  end: Position;
}

/** State of a monitor or machine that is kept when a snapshot is loaded. */
interface Kept {
  vcpu: number;
}

export class Recorder {
  /** A journal is being played: nothing else may reach the machine. */
  playing = false;
  /** The machine is in its past: only recorded inputs may reach it. */
  past = false;
  /** Starts anew, from a snapshot. */
  onStart: (() => void) | undefined;
  private base: JournalBase = { kind: 'power-on' };
  private start: Recording['start'] = { instructions: 0, timeNs: 0 };
  private entries: JournalEntry[] = [];
  private bytes = 0;
  private reason: string | undefined;
  /** Inputs are still recorded, but their start is too large for a replay: the reason. */
  private baseReason: string | undefined;
  private restored: Position | undefined;
  /** Inputs under way: some take several turns. */
  private taking = 0;
  /** Count at which a breakpoint stopped the machine after an event's delivery: a replay that stops there stands before it. */
  private delivered: number | undefined;
  /** The last input was a step, which ends after one instruction with a breakpoint or without. */
  private stepping = false;

  constructor(
    private readonly machine: Machine,
    private readonly runner: Pick<Runner, 'hold'>,
    /** It ended: why a replay is no longer possible. */
    private readonly onEnd: (reason: string) => void,
  ) {
    machine.subscribe((event) => {
      if (event.type === 'restored') this.restored = machine.run.position;
      if (event.type !== 'watch-stop' || this.playing || this.past) return;
      if (event.stop.hits.some(({ access }) => access === 'event')) this.delivered = machine.run.instructions;
      this.stopped();
    });
  }

  /** The machine has not run yet: it starts with this layout instead of its own. */
  startWith(layout: string): void {
    this.base = { kind: 'power-on', layout };
  }

  /** The machine was restored from this file. */
  startFrom(file: Uint8Array, kept: Kept): void {
    const { machine } = this;
    const at = this.restored ?? machine.run.position;
    this.base = { kind: 'state', file };
    this.start = { instructions: at.instructions, timeNs: at.timeNs };
    this.entries = [];
    this.bytes = 0;
    this.delivered = undefined;
    this.reason = undefined;
    this.baseReason = undefined;
    if (file.length > MAX_BASE) {
      this.baseReason = `it continues from a snapshot of ${file.length} bytes, a replay may contain at most ${MAX_BASE}`;
      this.onEnd(this.baseReason);
    }
    // State outside the file; in a new machine it must be set.
    const then = { ...at, running: machine.run.state === 'running' || machine.run.state === 'paused' };
    if (kept.vcpu !== 0) this.push(then, { kind: 'line', line: `cpu ${kept.vcpu}` });
    if (machine.run.breakCount !== undefined) this.push(then, { kind: 'line', line: `replay_break ${machine.run.breakCount}` });
    if (machine.run.state === 'paused') this.push(then, { kind: 'run', action: 'stop' });
    this.onStart?.();
  }

  /** Drops the inputs from this one on: the machine was restored to before it, and is stopped. `ran`: it was running there. */
  drop(from: number, ran: boolean): void {
    for (const { input } of this.entries.splice(from)) this.bytes -= sizeOf(input);
    if (ran) this.push({ ...this.machine.run.position, running: true }, { kind: 'run', action: 'stop' });
  }

  /** Records the input and applies it. The machine does not run meanwhile, however many steps the input has. MachineError if no input may reach the machine. */
  take<T>(input: JournalInput, action: () => T): T {
    if (this.playing) throw new MachineError('a replay is running: cancel it, or wait for its end');
    if (this.past) throw new MachineError(IN_PAST);
    return this.note(input, action);
  }

  /** An input that takes several turns is under way: the next one must wait. */
  get busy(): boolean {
    return this.taking > 0;
  }

  /** What happens from now on is not in the journal: a replay is no longer possible. */
  cut(reason: string): void {
    if (this.reason === undefined) this.end(reason);
  }

  /** Like `take`, for the player of a journal. */
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
      // A replay would apply it before the event's delivery.
      if (this.between !== undefined && !movesNothing(input)) this.cut('an input came between an event and its handler');
      this.push(this.machine.run.position, input);
      this.stepping = input.kind === 'run' && input.action === 'step';
      result = action();
      return result instanceof Promise ? (result.finally(release) as T) : result;
    } finally {
      if (!(result instanceof Promise)) release();
    }
  }

  /** The inputs so far, and a single one. */
  get length(): number {
    return this.entries.length;
  }

  entry(index: number): JournalEntry {
    return this.entries[index]!;
  }

  /** Why inputs are no longer recorded; undefined: they are. */
  get ended(): string | undefined {
    return this.reason;
  }

  private get between(): string | undefined {
    return this.delivered === this.machine.run.instructions
      ? 'the machine stands between an event and its handler, where none can end: let it run an instruction first'
      : undefined;
  }

  /** A breakpoint stopped the machine. Replays have none: they stop it at the recorded position. */
  private stopped(): void {
    if (this.taking === 0) this.push({ ...this.machine.run.position, running: true }, { kind: 'run', action: 'stop' });
    else if (!this.stepping) this.cut('a breakpoint stopped the guest in the middle of a legacy commit');
  }

  /** The replay up to now, or the reason if there is none of this machine. */
  recording(): Recording | string {
    const none = this.reason ?? this.baseReason ?? (this.past ? IN_PAST : undefined) ?? this.between;
    if (none !== undefined) return none;
    this.machine.run.catchUp();
    return { base: this.base, start: this.start, entries: [...this.entries], end: this.machine.run.position };
  }

  private push(at: Position, input: JournalInput): void {
    if (this.reason !== undefined) return;
    this.bytes += sizeOf(input);
    if (!fitsJournal(input)) this.end('an input came that a journal cannot contain');
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
