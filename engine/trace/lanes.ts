/** The time line: events by lane over guest time, in columns; lasting events as spans, phases of commits as marks. Bounded by the columns. */
import type { Machine } from '../machine/index';
import { type EventName, eventOf } from './events';
import { KIND_OF, type Test } from './filter';
import type { TraceRecord, TraceRing } from './ring';
import type { Tracer } from './tracer';
import { deviceOf, laneOf, wordsOf } from './words';

/** A time during which something lasted, or repeated with less than a column in between. */
export interface TraceSpan {
  kind: 'hlt' | 'hole' | 'retry' | 'full';
  /** ns */
  start: number;
  end: number;
  /** Events */
  count: number;
}

/** A moment of a commit. */
export interface TraceMark {
  kind: 'validate' | 'swap' | 'last-swap' | 'zap' | 'commit' | 'refused';
  /** ns */
  time: number;
  generation: number;
  what: string;
}

export interface TraceLane {
  name: string;
  /** Events in each column */
  counts: number[];
  /** Holes and retries among them, which must remain visible. */
  holes: number[];
  retries: number[];
  spans: TraceSpan[];
  marks: TraceMark[];
  /** Commits are too close for all their marks: these are the first. */
  more: boolean;
}

const MOST_MARKS = 240;
const MOST_DEVICES = 4096;

const SPANS: Partial<Record<EventName, TraceSpan['kind']>> = {
  vcpu_hlt: 'hlt',
  vcpu_hole: 'hole',
  vcpu_retry: 'retry',
  vcpu_dirty_ring_full: 'full',
};
const MARKS: Partial<Record<EventName, TraceMark['kind']>> = {
  memslot_validate: 'validate',
  memslot_publish: 'swap',
  memslot_zap: 'zap',
  memslot_commit: 'commit',
  memslot_refused: 'refused',
};

export function lanesOf(
  machine: Machine,
  tracer: Tracer,
  ring: TraceRing,
  test: Test,
  [start, end]: readonly [number, number],
  columns: number,
): TraceLane[] {
  const lanes = new Map<string, TraceLane>();
  const zeros = (): number[] => new Array<number>(columns).fill(0);
  const lane = (name: string): TraceLane => {
    let found = lanes.get(name);
    if (!found) {
      found = { name, counts: zeros(), holes: zeros(), retries: zeros(), spans: [], marks: [], more: false };
      lanes.set(name, found);
    }
    return found;
  };
  lane('commits');
  for (let vcpu = 0; vcpu < machine.config.smp; vcpu++) lane(`vCPU ${vcpu}`);
  if (columns === 0) return [];
  const devices = deviceNames(machine);
  const width = (end - start) / columns;
  for (let seq = ring.first; seq < ring.total; seq++) {
    const time = ring.timeAt(seq);
    if (time >= end || !test(ring, seq)) continue;
    const record = ring.get(seq);
    // Events that began earlier may last into the view.
    if (time < start && time + record.duration < start) continue;
    const { name } = eventOf(record.event);
    const found = lane(KIND_OF[record.event] === 'devices' ? devices(record) : laneOf(record));
    const span = SPANS[name];
    if (span) addSpan(found.spans, span, record, width);
    if (time < start) continue;
    const column = Math.min(columns - 1, Math.floor((time - start) / width));
    found.counts[column]! += 1;
    if (span === 'hole') found.holes[column]! += 1;
    if (span === 'retry') found.retries[column]! += 1;
    const mark = MARKS[name];
    if (mark) addMark(found, mark, record, wordsOf(machine, tracer, record));
  }
  return [...lanes.values()];
}

/** Events of one vCPU are in order of time, so one that touches the last of its kind extends it. */
function addSpan(spans: TraceSpan[], kind: TraceSpan['kind'], { time, duration }: TraceRecord, width: number): void {
  const last = spans.findLast((span) => span.kind === kind);
  if (last && time - last.end <= 2 * width) {
    last.end = Math.max(last.end, time + duration);
    last.count += 1;
  } else spans.push({ kind, start: time, end: time + duration, count: 1 });
}

function addMark(lane: TraceLane, kind: TraceMark['kind'], { time, generation, a, size }: TraceRecord, what: string): void {
  if (lane.marks.length === MOST_MARKS) lane.more = true;
  else lane.marks.push({ kind: kind === 'swap' && a === size ? 'last-swap' : kind, time, generation, what });
}

function deviceNames(machine: Machine): (record: TraceRecord) => string {
  const known = new Map<number, string>();
  return (record) => {
    const key = record.a * 2 + (eventOf(record.event).name.startsWith('cpu') ? 1 : 0);
    let device = known.get(key);
    if (device === undefined) {
      device = deviceOf(machine, record) ?? 'no device';
      if (known.size < MOST_DEVICES) known.set(key, device);
    }
    return device;
  };
}
