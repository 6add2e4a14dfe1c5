/**
 * Checks the output of trace_dump against the "Trace Event Format" document and the documentation of Perfetto's importer: the UI itself needs a
 * network. Each rule says what an importer does with an event that breaks it.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Guest, MIB } from '../../test/guests/harness';
import { Monitor } from '../monitor/index';
import { testEnv } from '../monitor/testing';
import { EVENT_KINDS, perfettoBytes, tracerOf } from './index';

type Event = Record<string, unknown>;
const METADATA = ['process_name', 'process_labels', 'process_sort_index', 'thread_name', 'thread_sort_index'];
const PHASES = ['B', 'E', 'X', 'i', 'M', 'C', 'b', 'n', 'e', 's', 't', 'f'];
const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;

/** Faults of a file, one line each; []: an importer accepts all of it. */
function faultsOf(text: string): string[] {
  const faults: string[] = [];
  const file = JSON.parse(text) as Event;
  // Object form: events in traceEvents, and otherwise only members of the format.
  if (!Array.isArray(file.traceEvents)) return ['no traceEvents'];
  if (file.displayTimeUnit !== undefined && file.displayTimeUnit !== 'ms' && file.displayTimeUnit !== 'ns')
    faults.push('displayTimeUnit is ms or ns');
  const threads = new Map<string, { last: number; open: { name: unknown; end: number }[]; named: number }>();
  for (const [index, event] of (file.traceEvents as Event[]).entries()) {
    const fault = (what: string): void => void faults.push(`event ${index} (${String(event.name)}): ${what}`);
    const { ph, ts, dur, pid, tid, name, cat, s, args } = event;
    if (typeof ph !== 'string' || !PHASES.includes(ph)) fault('ph is no phase: the event is dropped');
    if (typeof name !== 'string' || name === '') fault('it has no name');
    if (!Number.isInteger(pid) || !Number.isInteger(tid)) fault('pid and tid are whole numbers: it would have no track');
    if (cat !== undefined && typeof cat !== 'string') fault('cat is text, categories with commas between them');
    if (args !== undefined && (typeof args !== 'object' || args === null || Array.isArray(args))) fault('args is an object');
    const key = `${String(pid)}/${String(tid)}`;
    const thread = threads.get(key) ?? { last: -1, open: [], named: 0 };
    threads.set(key, thread);
    if (ph === 'M') {
      if (!METADATA.includes(name as string)) fault('no metadata has this name: it is ignored');
      const given = args as Event | undefined;
      if ((name as string)?.endsWith('_name') && typeof given?.name !== 'string') fault('args.name is missing');
      if ((name as string)?.endsWith('_sort_index') && typeof given?.sort_index !== 'number') fault('args.sort_index is missing');
      if (name === 'thread_name') thread.named += 1;
      continue;
    }
    if (!isTime(ts)) {
      fault('ts is a time in microseconds: the event is dropped');
      continue;
    }
    if (ts < thread.last) fault(`ts ${ts} is before ${thread.last}, the one before it in its thread`);
    thread.last = ts;
    while (thread.open.length > 0 && thread.open.at(-1)!.end <= ts) thread.open.pop();
    if (ph === 'i' && s !== 't' && s !== 'p' && s !== 'g') fault('the scope of an instant is t, p or g');
    if (ph === 'X') {
      if (!isTime(dur)) fault('dur is missing: the event is dropped');
      else {
        const around = thread.open.at(-1);
        if (around && ts + dur > around.end) fault(`it ends behind ${String(around.name)}, in which it begins: slices of a thread nest`);
        thread.open.push({ name, end: ts + dur });
      }
    }
    if (ph === 'B') thread.open.push({ name, end: Number.POSITIVE_INFINITY });
    if (ph === 'E') {
      const last = thread.open.findLastIndex(({ end }) => end === Number.POSITIVE_INFINITY);
      if (last < 0) fault('E without B');
      else thread.open.length = last;
    }
  }
  for (const [key, { open, named, last }] of threads) {
    if (open.some(({ end }) => end === Number.POSITIVE_INFINITY)) faults.push(`thread ${key}: B without E`);
    if (last >= 0 && named !== 1) faults.push(`thread ${key} has ${named} names`);
  }
  return faults;
}

it('is what the format says: types, scopes, names of threads, slices that nest, times that rise in each thread', async () => {
  let wall = 0;
  const kernel = new Uint8Array(readFileSync(new URL('../../guests/memlab/memlab.elf', import.meta.url)));
  const guest = await Guest.boot({ guest: { name: 'memlab', kernel }, ram: 192 * MIB, smp: 2, wallClock: () => wall });
  const { machine } = guest;
  guest.until('lab> ');
  const monitor = new Monitor(machine, testEnv());
  const lines = async (...all: string[]): Promise<void> => {
    for (const text of all) await monitor.execute(text);
  };
  await lines('object_add memory-backend-ram,id=m1,size=64M', 'device_add pc-dimm,id=d1,memdev=m1', 'trace-event * on');
  guest.type('watch 0x10000000\r');
  machine.run.advance(5e6);
  await lines('memslot_flags 5 -l', 'dirty_log 5', 'memslot_move 5 0x1000', 'memslot_move 5 0x18000000');
  machine.run.advance(1e5);
  // Retries that last, and sleep.
  await lines('undo', 'changeset_begin', 'memslot_move 5 0x18000000', 'changeset_commit -s', ...Array<string>(4).fill('changeset_step'));
  for (let n = 0; n < 5; n++) {
    wall += 4;
    machine.run.until(wall);
  }
  await lines('changeset_step -a');
  guest.type('q\r');
  for (let n = 0; n < 20; n++) {
    wall += 4;
    machine.run.until(wall);
  }
  const text = new TextDecoder().decode(perfettoBytes(machine, tracerOf(machine)));
  expect(faultsOf(text).slice(0, 10)).toEqual([]);
  const { traceEvents } = JSON.parse(text) as { traceEvents: Event[] };
  // The file has every kind of event.
  expect(new Set(traceEvents.map(({ ph }) => ph))).toEqual(new Set(['M', 'X', 'i']));
  expect(new Set(traceEvents.flatMap(({ ph, cat }) => (ph === 'M' ? [] : [cat])))).toEqual(new Set(EVENT_KINDS));
  const named = traceEvents.flatMap(({ ph, args }) => (ph === 'M' ? [(args as Event).name] : []));
  expect(named).toEqual(['memlab', 'commits', 'vCPU 0', 'vCPU 1']);
  for (const name of ['vcpu_hlt', 'vcpu_retry', 'memslot_refused', 'memslot_validate', 'dirty_log_harvest', 'vcpu_hole'])
    expect(
      traceEvents.some((event) => event.name === name),
      name,
    ).toBe(true);
});

it.each([
  ['{"traceEvents":[{"ph":"E","name":"a","ts":1,"pid":1,"tid":1}]}', 'E without B'],
  ['{"traceEvents":[{"ph":"X","name":"a","ts":"1","dur":1,"pid":1,"tid":1}]}', 'ts is a time'],
  ['{"traceEvents":[{"ph":"X","name":"a","ts":1,"dur":4,"pid":1,"tid":1},{"ph":"X","name":"b","ts":3,"dur":4,"pid":1,"tid":1}]}', 'nest'],
  ['{"traceEvents":[{"ph":"i","name":"a","ts":1,"pid":1,"tid":1}]}', 'scope of an instant'],
  [
    '{"traceEvents":[{"ph":"i","s":"t","name":"a","ts":2,"pid":1,"tid":1},{"ph":"i","s":"t","name":"a","ts":1,"pid":1,"tid":1}]}',
    'is before 2',
  ],
  ['{"traceEvents":[{"ph":"M","name":"thread","ts":0,"pid":1,"tid":1,"args":{}}]}', 'no metadata has this name'],
])('the rules refuse %s', (text, fault) => {
  expect(faultsOf(text).join('\n')).toContain(fault);
});
