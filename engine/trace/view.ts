/** The trace for the page: a window of rows, runs of equal events in one row, and lanes over time. */
import type { Machine } from '../machine/index';
import { EVENTS, type EventKind } from './events';
import { filterOf, HAS_GPA, type Test, type TraceFilter } from './filter';
import { lanesOf, type TraceLane } from './lanes';
import type { TraceRing } from './ring';
import type { ExitStat } from './stat';
import { type Tracer, tracerOf } from './tracer';
import { type CodeNames, codeNames, laneOf, wordsOf } from './words';

export interface TraceAsked extends TraceFilter {
  /** First row, and number of rows. */
  from: number;
  count: number;
  /** Columns of the lanes over [start, end), ns of guest time; absent: all of the ring. */
  columns: number;
  start?: number;
  end?: number;
}

export interface TraceRow {
  /** Values of the first event of the run */
  seq: number;
  /** Number of equal events in a row */
  alike: number;
  time: number;
  /** Values of the last one */
  until: number;
  icount: number;
  vcpu: number;
  lane: string;
  event: string;
  kind: EventKind;
  what: string;
  generation: number;
  gpa?: number;
  /** Memslot id of its address */
  slot?: number;
  /** The code that caused it: "read_while+0x3", or its address if it has no name. */
  code?: string;
}

export interface TraceView {
  on: boolean;
  /** Events since recording began, and events still in the ring. */
  total: number;
  kept: number;
  /** Events and rows that match. */
  matched: number;
  rowCount: number;
  from: number;
  rows: TraceRow[];
  /** ns of guest time that the ring covers, and that the lanes show. */
  span: [number, number];
  shown: [number, number];
  lanes: TraceLane[];
  stat: ExitStat[];
  /** What is wrong with the filter, one line */
  wrong?: string;
}

const MOST_ROWS = 256;
const MOST_COLUMNS = 1024;

/** Of the matching events: the first of each run, its length, and its last. */
function runsOf(ring: TraceRing, test: Test): { runs: [first: number, length: number, last: number][]; matched: number } {
  const runs: [number, number, number][] = [];
  let matched = 0;
  let before = { event: -1, vcpu: -2, a: 0 };
  for (let seq = ring.first; seq < ring.total; seq++) {
    if (!test(ring, seq)) continue;
    matched += 1;
    const { event, vcpu, a } = ring.get(seq);
    const last = runs.at(-1);
    if (last && vcpu >= 0 && before.event === event && before.vcpu === vcpu && before.a === a) {
      last[1] += 1;
      last[2] = seq;
    } else runs.push([seq, 1, seq]);
    before = { event, vcpu, a };
  }
  return { runs, matched };
}

const whole = (value: number, most: number): number => (Number.isInteger(value) && value >= 0 ? Math.min(value, most) : 0);

/** Bounded, whatever the request. */
export function traceView(machine: Machine, asked: TraceAsked): TraceView {
  const tracer = tracerOf(machine);
  const { ring } = tracer;
  const empty = { matched: 0, rowCount: 0, from: 0, rows: [], span: [0, 0], shown: [0, 0], lanes: [] } as const;
  const head = { on: tracer.on, total: ring?.total ?? 0, kept: (ring?.total ?? 0) - (ring?.first ?? 0), stat: tracer.stat.rows() };
  if (!ring || ring.total === 0) return { ...head, ...empty, rows: [], lanes: [], span: [0, 0], shown: [0, 0] };
  const { test, wrong } = filterOf(machine, tracer, asked);
  const { runs, matched } = runsOf(ring, test);
  const from = whole(asked.from, runs.length);
  const names = codeNames(machine);
  const rows = runs.slice(from, from + whole(asked.count, MOST_ROWS)).map((run) => rowOf(machine, tracer, ring, run, names));
  const span = spanOf(ring);
  const start = Number.isFinite(asked.start) ? asked.start! : span[0];
  const end = Math.max(start + 1, Number.isFinite(asked.end) ? asked.end! : span[1]);
  const lanes = lanesOf(machine, tracer, ring, test, [start, end], whole(asked.columns, MOST_COLUMNS));
  return { ...head, matched, rowCount: runs.length, from, rows, span, shown: [start, end], lanes, ...(wrong !== undefined && { wrong }) };
}

/** The last matching rows, at most this many, for a monitor. */
export function traceTail(
  machine: Machine,
  asked: TraceFilter,
  most: number,
): { matched: number; rowCount: number; rows: TraceRow[]; wrong?: string } {
  const tracer = tracerOf(machine);
  const { ring } = tracer;
  if (!ring) return { matched: 0, rowCount: 0, rows: [] };
  const { test, wrong } = filterOf(machine, tracer, asked);
  const { runs, matched } = runsOf(ring, test);
  const names = codeNames(machine);
  const rows = runs.slice(-most).map((run) => rowOf(machine, tracer, ring, run, names));
  return { matched, rowCount: runs.length, rows, ...(wrong !== undefined && { wrong }) };
}

function rowOf(
  machine: Machine,
  tracer: Tracer,
  ring: TraceRing,
  [seq, alike, last]: [number, number, number],
  names: CodeNames,
): TraceRow {
  const record = ring.get(seq);
  const { name, kind } = EVENTS[record.event]!;
  const { time, icount, vcpu, generation, a } = record;
  const code = names(record.code);
  return {
    ...{ seq, alike, time, icount, vcpu, generation, kind },
    until: ring.timeAt(last),
    lane: laneOf(record),
    event: name,
    what: wordsOf(machine, tracer, record),
    ...(HAS_GPA[record.event] && { gpa: a }),
    ...(record.slot >= 0 && { slot: record.slot }),
    ...(code !== undefined && { code }),
  };
}

/** vCPUs take turns, so events of different vCPUs are not in order of time. */
function spanOf(ring: TraceRing): [number, number] {
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (let seq = ring.first; seq < ring.total; seq++) {
    const time = ring.timeAt(seq);
    if (time < least) least = time;
    if (time > most) most = time;
  }
  return [least, most + 1];
}

/** The row of the next run of this event after, or before, the run that begins with `seq`; undefined: there is none. */
export function traceNext(machine: Machine, asked: TraceFilter & { seq: number; event: string; back?: boolean }): number | undefined {
  const tracer = tracerOf(machine);
  const { ring } = tracer;
  if (!ring) return undefined;
  const { runs } = runsOf(ring, filterOf(machine, tracer, asked).test);
  const isOne = ([seq]: [number, number, number]): boolean =>
    EVENTS[ring.eventAt(seq)]!.name === asked.event && (asked.back ? seq < asked.seq : seq > asked.seq);
  const found = asked.back ? runs.findLastIndex(isOne) : runs.findIndex(isOne);
  return found < 0 ? undefined : found;
}
