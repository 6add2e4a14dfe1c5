/**
 * The ring as Chrome's trace-event JSON ("Trace Event Format", object form), which Perfetto and chrome://tracing open: times in microseconds of guest
 * time, a thread for each vCPU and one for commits.
 */
import type { Machine } from '../machine/index';
import { eventOf } from './events';
import type { Tracer } from './tracer';
import { type CodeNames, codeNames, deviceOf, vectorName, wordsOf } from './words';

const PID = 1;
/** Threads: commits, then the vCPUs. */
const COMMITS = 1;

interface TraceEvent {
  name: string;
  cat: string;
  /** X: complete, i: instant, M: metadata */
  ph: 'X' | 'i' | 'M';
  ts: number;
  dur?: number;
  pid: number;
  tid: number;
  /** Scope of an instant: its thread */
  s?: 't';
  args: Record<string, unknown>;
}

/** JSON in pieces: 65,536 events are 15 MB. */
export function* perfettoPieces(machine: Machine, tracer: Tracer): Iterable<string> {
  yield '{"displayTimeUnit":"ns","traceEvents":[';
  const names = [
    ['process_name', 0, machine.guest?.name ?? 'machine'],
    ['thread_name', COMMITS, 'commits'],
    ...Array.from({ length: machine.config.smp }, (_unused, vcpu) => ['thread_name', COMMITS + 1 + vcpu, `vCPU ${vcpu}`] as const),
  ] as const;
  yield names
    .map(([name, tid, text]) =>
      JSON.stringify({ name, cat: '__metadata', ph: 'M', ts: 0, pid: PID, tid, args: { name: text } } satisfies TraceEvent),
    )
    .join(',\n');
  const { ring } = tracer;
  const codes = codeNames(machine);
  for (let seq = ring?.first ?? 0; seq < (ring?.total ?? 0); seq++) yield `,\n${JSON.stringify(eventAt(machine, tracer, seq, codes))}`;
  yield ']}\n';
}

export function perfettoBytes(machine: Machine, tracer: Tracer): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  let batch = '';
  for (const piece of perfettoPieces(machine, tracer)) {
    batch += piece;
    if (batch.length < 1 << 20) continue;
    parts.push(encoder.encode(batch));
    batch = '';
  }
  parts.push(encoder.encode(batch));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function eventAt(machine: Machine, tracer: Tracer, seq: number, codes: CodeNames): TraceEvent {
  const record = tracer.ring!.get(seq);
  const { event, vcpu, time, duration, icount, generation, a } = record;
  const { name, kind } = eventOf(event);
  const device = deviceOf(machine, record);
  const title = name === 'exception' ? vectorName(a) : device === undefined ? name : `${name} ${device}`;
  const lasts = duration > 0;
  const code = codes(record.code);
  return {
    name: title,
    cat: kind,
    ph: lasts ? 'X' : 'i',
    ts: time / 1000,
    ...(lasts && { dur: duration / 1000 }),
    pid: PID,
    tid: vcpu < 0 ? COMMITS : COMMITS + 1 + vcpu,
    ...(!lasts && { s: 't' as const }),
    args: { what: wordsOf(machine, tracer, record), instructions: icount, generation, ...(code !== undefined && { code }) },
  };
}
