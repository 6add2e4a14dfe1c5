/** The last known window of the trace's rows, queried again while the guest runs and the pane is shown. */
import type { EventKind, TraceRow, TraceView } from '../../../engine/worker/protocol';
import type { Lab } from '../../lab/lab.svelte';

export const KINDS: readonly { kind: EventKind; name: string }[] = [
  { kind: 'exits', name: 'Exits' },
  { kind: 'commits', name: 'Commits' },
  { kind: 'faults', name: 'Faults' },
  { kind: 'interrupts', name: 'Interrupts' },
  { kind: 'devices', name: 'Devices' },
  { kind: 'dirty', name: 'Dirty' },
];
/** ms between two questions while the guest runs */
const PERIOD = 500;
/** Rows queried at once, which is also the maximum rendered. */
export const WINDOW = 120;
const COLUMNS = 160;
/** Times closer than this count as equal, ns. */
const LEAST_SPAN = 200;

export class Trace {
  readonly lab: Lab;
  view = $state.raw<TraceView | undefined>(undefined);
  problem = $state('');
  kinds = $state<EventKind[]>(KINDS.map(({ kind }) => kind).filter((kind) => kind !== 'dirty'));
  filter = $state('');
  /** Row at the top of the list. */
  top = $state(0);
  /** Number of the event that is selected, and its row. */
  selected = $state.raw<{ row: number; event: TraceRow } | undefined>(undefined);
  /** ns of guest time; undefined: all of it */
  range = $state.raw<[number, number] | undefined>(undefined);
  #asking = 0;

  constructor(lab: Lab) {
    this.lab = lab;
  }

  get #filters() {
    return { kinds: [...this.kinds], filter: this.filter };
  }

  /** Reads now, and repeatedly while the guest runs. Returns a function that ends it. */
  follow(running: boolean): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let alive = true;
    const read = async () => {
      await this.#read();
      if (alive && running) timer = setTimeout(() => void read(), PERIOD);
    };
    void read();
    return () => {
      alive = false;
      clearTimeout(timer);
    };
  }

  async #read(): Promise<void> {
    const number = ++this.#asking;
    const [start, end] = this.range ?? [];
    try {
      const view = await this.lab.query({
        ask: 'trace',
        ...this.#filters,
        from: Math.max(0, this.top - WINDOW / 4),
        count: WINDOW,
        columns: COLUMNS,
        ...(start !== undefined && end !== undefined && { start, end }),
      });
      if (number !== this.#asking) return;
      this.view = view;
      this.problem = '';
    } catch (error) {
      if (number === this.#asking) this.problem = (error as Error).message;
    }
  }

  toggle(kind: EventKind): void {
    this.kinds = this.kinds.includes(kind) ? this.kinds.filter((each) => each !== kind) : [...this.kinds, kind];
    this.top = 0;
    this.selected = undefined;
  }

  async record(on: boolean): Promise<void> {
    await this.lab.command(`trace-event * ${on ? 'on' : 'off'}`);
    await this.#read();
  }

  async clear(): Promise<void> {
    await this.lab.command('trace_clear');
    this.selected = undefined;
    this.range = undefined;
    this.top = 0;
    await this.#read();
  }

  rowAt(row: number): TraceRow | undefined {
    return this.view?.rows[row - this.view.from];
  }

  /** Selects the row, reading it first if necessary. False: there is no such row. */
  async select(row: number): Promise<boolean> {
    const last = (this.view?.rowCount ?? 0) - 1;
    const wanted = Math.max(0, Math.min(row, last));
    if (last < 0) return false;
    if (!this.rowAt(wanted)) {
      this.top = wanted;
      await this.#read();
    }
    const event = this.rowAt(wanted);
    if (event) this.selected = { row: wanted, event };
    return event !== undefined;
  }

  /** The next event of this name, or the one before; '' if found, otherwise the reason. */
  async next(event: string, back: boolean): Promise<string> {
    const seq = this.selected?.event.seq ?? (back ? Number.MAX_SAFE_INTEGER : -1);
    const { row } = await this.lab.query({ ask: 'trace-next', ...this.#filters, seq, event, back });
    if (row === undefined) return `No ${event} ${back ? 'before' : 'after'} this one.`;
    return (await this.select(row)) ? '' : 'The event has been dropped since.';
  }

  /** `factor` below 1: closer, around the selected event or the middle. */
  zoom(factor: number): void {
    const { view } = this;
    if (!view) return;
    const [from, to] = this.range ?? view.span;
    const centre =
      this.selected && this.selected.event.time >= from && this.selected.event.time < to ? this.selected.event.time : (from + to) / 2;
    const width = Math.max(LEAST_SPAN, (to - from) * factor);
    const start = Math.max(view.span[0], centre - ((centre - from) / (to - from)) * width);
    const end = Math.min(view.span[1], start + width);
    this.range = start <= view.span[0] && end >= view.span[1] ? undefined : [start, end];
  }

  async file(): Promise<Uint8Array> {
    return this.lab.query({ ask: 'trace-file' });
  }
}

/** "3,390.051 500 ms" would be too long: milliseconds with their microseconds, and the rest of the ns. */
export const ms = (ns: number): string => (ns / 1e6).toFixed(6);
export const us = (ns: number): string => (ns / 1000).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
