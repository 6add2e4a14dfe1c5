/** The trace as the page shows it: a window of rows, runs of alike events in one, and lanes over time. */
import type { Machine } from '../machine/index';
import { EVENTS, type EventKind, matches } from './events';
import type { TraceRing } from './ring';
import type { ExitStat } from './stat';
import { type Tracer, tracerOf } from './tracer';
import { deviceOf, laneOf, wordsOf } from './words';

export interface TraceAsked {
  kinds: readonly EventKind[];
  /** Words and `vcpu:N`, `gpa:ADDR` (its page), `event:NAME` (with *), all of which must hold. */
  filter: string;
  /** Rows from this one on, and how many. */
  from: number;
  count: number;
  /** Columns of the lanes over [start, end), ns of guest time; absent: all of the ring. */
  columns: number;
  start?: number;
  end?: number;
}

export interface TraceRow {
  /** Of the first event of the run */
  seq: number;
  /** Alike events that follow one another */
  alike: number;
  time: number;
  /** Of the last of them */
  until: number;
  icount: number;
  vcpu: number;
  lane: string;
  event: string;
  kind: EventKind;
  what: string;
  generation: number;
  gpa?: number;
}

export interface TraceLane {
  name: string;
  /** Events in each column */
  counts: number[];
  /** Of them holes and retries, which must not be missed */
  holes: number[];
  retries: number[];
}

export interface TraceView {
  on: boolean;
  /** Events since recording began, and of them kept. */
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
const PAGE = 4096;
const KIND_OF = EVENTS.map(({ kind }) => kind);
const HAS_GPA = EVENTS.map(({ name }) => /^(vcpu_hole|vcpu_retry|tlb_fill|dirty_page|memory_region_ops_.*)$/.test(name));
const HOLE = EVENTS.findIndex(({ name }) => name === 'vcpu_hole');
const RETRY = EVENTS.findIndex(({ name }) => name === 'vcpu_retry');

type Test = (ring: TraceRing, seq: number) => boolean;

function filterOf(
  machine: Machine,
  tracer: Tracer,
  { kinds, filter }: Pick<TraceAsked, 'kinds' | 'filter'>,
): { test: Test; wrong?: string } {
  const wanted = KIND_OF.map((kind) => kinds.includes(kind));
  const tests: Test[] = [(ring, seq) => wanted[ring.eventAt(seq)]!];
  let wrong: string | undefined;
  for (const word of filter.split(/\s+/).filter(Boolean).slice(0, 16)) {
    const [, key, value = ''] = /^(vcpu|gpa|event):(.*)$/.exec(word) ?? [];
    if (key === 'vcpu') {
      if (!/^\d$/.test(value)) wrong = `vcpu:${value} is no number of a vCPU`;
      tests.push((ring, seq) => ring.vcpuAt(seq) === Number(value));
    } else if (key === 'gpa') {
      const gpa = /^(0x[0-9a-f]{1,13}|\d{1,15})$/i.test(value) ? Number(value) : Number.NaN;
      if (Number.isNaN(gpa)) wrong = `gpa:${value} is no address: use 0x...`;
      tests.push((ring, seq) => HAS_GPA[ring.eventAt(seq)]! && Math.floor(ring.get(seq).a / PAGE) === Math.floor(gpa / PAGE));
    } else if (key === 'event') {
      const named = EVENTS.map(({ name }) => matches(value, name));
      if (!named.includes(true)) wrong = `event:${value}: there is no such event`;
      tests.push((ring, seq) => named[ring.eventAt(seq)]!);
    } else {
      const text = word.toLowerCase();
      tests.push((ring, seq) => {
        const record = ring.get(seq);
        const all = `${EVENTS[record.event]!.name} ${laneOf(record)} ${wordsOf(machine, tracer, record)}`;
        return all.toLowerCase().includes(text);
      });
    }
  }
  return { test: (ring, seq) => tests.every((test) => test(ring, seq)), ...(wrong !== undefined && { wrong }) };
}

/** First event of each run, its length, and its last event, of what matches. */
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

/** Bounded, whatever is asked. */
export function traceView(machine: Machine, asked: TraceAsked): TraceView {
  const tracer = tracerOf(machine);
  const { ring } = tracer;
  const empty = { matched: 0, rowCount: 0, from: 0, rows: [], span: [0, 0], shown: [0, 0], lanes: [] } as const;
  const head = { on: tracer.on, total: ring?.total ?? 0, kept: (ring?.total ?? 0) - (ring?.first ?? 0), stat: tracer.stat.rows() };
  if (!ring || ring.total === 0) return { ...head, ...empty, rows: [], lanes: [], span: [0, 0], shown: [0, 0] };
  const { test, wrong } = filterOf(machine, tracer, asked);
  const { runs, matched } = runsOf(ring, test);
  const from = whole(asked.from, runs.length);
  const rows = runs.slice(from, from + whole(asked.count, MOST_ROWS)).map((run) => rowOf(machine, tracer, ring, run));
  const span = spanOf(ring);
  const start = asked.start ?? span[0];
  const end = Math.max(start + 1, asked.end ?? span[1]);
  const lanes = lanesOf(machine, ring, test, start, end, whole(asked.columns, MOST_COLUMNS));
  return { ...head, matched, rowCount: runs.length, from, rows, span, shown: [start, end], lanes, ...(wrong !== undefined && { wrong }) };
}

function rowOf(machine: Machine, tracer: Tracer, ring: TraceRing, [seq, alike, last]: [number, number, number]): TraceRow {
  const record = ring.get(seq);
  const { name, kind } = EVENTS[record.event]!;
  const { time, icount, vcpu, generation, a } = record;
  return {
    ...{ seq, alike, time, icount, vcpu, generation, kind },
    until: ring.timeAt(last),
    lane: laneOf(record),
    event: name,
    what: wordsOf(machine, tracer, record),
    ...(HAS_GPA[record.event] && { gpa: a }),
  };
}

/** vCPUs take turns: the events of one are not in the order of another's time. */
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

function lanesOf(machine: Machine, ring: TraceRing, test: Test, start: number, end: number, columns: number): TraceLane[] {
  const lanes = new Map<string, TraceLane>();
  const zeros = (): number[] => new Array<number>(columns).fill(0);
  const lane = (name: string): TraceLane => {
    let found = lanes.get(name);
    if (!found) {
      found = { name, counts: zeros(), holes: zeros(), retries: zeros() };
      lanes.set(name, found);
    }
    return found;
  };
  lane('commits');
  for (let vcpu = 0; vcpu < machine.config.smp; vcpu++) lane(`vCPU ${vcpu}`);
  if (columns === 0) return [];
  const devices = new Map<number, string>();
  for (let seq = ring.first; seq < ring.total; seq++) {
    const time = ring.timeAt(seq);
    if (time < start || time >= end || !test(ring, seq)) continue;
    const column = Math.min(columns - 1, Math.floor(((time - start) / (end - start)) * columns));
    const record = ring.get(seq);
    const { event } = record;
    let name = laneOf(record);
    if (KIND_OF[event] === 'devices') {
      const key = record.a * 2 + (EVENTS[event]!.name.startsWith('cpu') ? 1 : 0);
      let device = devices.get(key);
      if (device === undefined) {
        device = deviceOf(machine, record) ?? 'no device';
        if (devices.size < 4096) devices.set(key, device);
      }
      name = device;
    }
    const found = lane(name);
    found.counts[column]! += 1;
    if (event === HOLE) found.holes[column]! += 1;
    if (event === RETRY) found.retries[column]! += 1;
  }
  return [...lanes.values()];
}

/** The row of the next run of this event after the one that begins with `seq`, or before it; undefined: there is none. */
export function traceNext(
  machine: Machine,
  asked: Pick<TraceAsked, 'kinds' | 'filter'> & { seq: number; event: string; back?: boolean },
): number | undefined {
  const tracer = tracerOf(machine);
  const { ring } = tracer;
  if (!ring) return undefined;
  const { runs } = runsOf(ring, filterOf(machine, tracer, asked).test);
  const isOne = ([seq]: [number, number, number]): boolean =>
    EVENTS[ring.eventAt(seq)]!.name === asked.event && (asked.back ? seq < asked.seq : seq > asked.seq);
  const found = asked.back ? runs.findLastIndex(isOne) : runs.findIndex(isOne);
  return found < 0 ? undefined : found;
}
