/** A trace of what happens below the guest. Above the machine, below the monitor. */
export { EVENT_KINDS, EVENTS, type EventKind, type EventName, matches } from './events';
export type { TraceLane, TraceMark, TraceSpan } from './lanes';
export { perfettoBytes } from './perfetto';
export { RING_SIZE } from './ring';
export type { ExitStat } from './stat';
export { type Tracer, tracerOf } from './tracer';
export { type TraceAsked, type TraceRow, type TraceView, traceNext, traceTail, traceView } from './view';
