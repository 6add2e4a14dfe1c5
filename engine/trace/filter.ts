/** Selects events by kinds and words. A value may be a list with commas: any item may match. */
import type { Machine } from '../machine/index';
import { EVENTS, type EventKind, matches } from './events';
import type { TraceRing } from './ring';
import type { Tracer } from './tracer';
import { codeNames, laneOf, wordsOf } from './words';

export interface TraceFilter {
  kinds: readonly EventKind[];
  /**
   * Words, `vcpu:N`, `gpa:ADDR` (its page), `slot:ID` (accesses to it or its former place, and commits and harvests of it), `event:NAME` and
   * `reason:EXIT` (with *). All of them must hold.
   */
  filter: string;
}

export type Test = (ring: TraceRing, seq: number) => boolean;

export const PAGE = 4096;
const MOST_WORDS = 16;
const MOST_VALUES = 64;

export const KIND_OF: readonly EventKind[] = EVENTS.map(({ kind }) => kind);
export const HAS_GPA = EVENTS.map(({ name }) => /^(vcpu_hole|vcpu_retry|tlb_fill|dirty_page|memory_region_ops_.*)$/.test(name));
const REASONS = EVENTS.map((each) => ('exit' in each ? each.exit : ''));

type Made = Test | { wrong: string };

const KEYS: Readonly<Record<string, (values: readonly string[], tracer: Tracer) => Made>> = {
  vcpu: (values) => {
    const odd = values.find((value) => !/^\d$/.test(value));
    if (odd !== undefined) return { wrong: `vcpu:${odd} is not a vCPU number` };
    const vcpus = values.map(Number);
    return (ring, seq) => vcpus.includes(ring.vcpuAt(seq));
  },
  gpa: (values) => {
    const odd = values.find((value) => !/^(0x[0-9a-f]{1,13}|\d{1,15})$/i.test(value));
    if (odd !== undefined) return { wrong: `gpa:${odd} is not an address: use 0x...` };
    const pages = values.map((value) => Math.floor(Number(value) / PAGE));
    return (ring, seq) => HAS_GPA[ring.eventAt(seq)]! && pages.includes(Math.floor(ring.get(seq).a / PAGE));
  },
  slot: (values, tracer) => {
    const odd = values.find((value) => !/^\d{1,5}$/.test(value));
    if (odd !== undefined) return { wrong: `slot:${odd} is not a memslot id` };
    const slots = values.map(Number);
    return (ring, seq) => slots.includes(ring.slotAt(seq)) || (tracer.slotsOf(seq)?.some((slot) => slots.includes(slot)) ?? false);
  },
  event: (values) => {
    const named = EVENTS.map(({ name }) => values.some((value) => matches(value, name)));
    return named.includes(true) ? (ring, seq) => named[ring.eventAt(seq)]! : { wrong: `event:${values.join()}: there is no such event` };
  },
  reason: (values) => {
    const named = REASONS.map((reason) => reason !== '' && values.some((value) => matches(value.toUpperCase(), reason)));
    if (named.includes(true)) return (ring, seq) => named[ring.eventAt(seq)]!;
    return { wrong: `reason:${values.join()}: there is no such exit; there are ${[...new Set(REASONS.filter(Boolean))].join(', ')}` };
  },
};

/** `wrong`: the first invalid condition of the filter, one line; then nothing matches. */
export function filterOf(machine: Machine, tracer: Tracer, { kinds, filter }: TraceFilter): { test: Test; wrong?: string } {
  const wanted = KIND_OF.map((kind) => kinds.includes(kind));
  const tests: Test[] = [(ring, seq) => wanted[ring.eventAt(seq)]!];
  let wrong: string | undefined;
  for (const word of filter.split(/\s+/).filter(Boolean).slice(0, MOST_WORDS)) {
    const [, key = '', list = ''] = /^(\w+):(.*)$/.exec(word) ?? [];
    const make = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    const made = make ? make(list.split(',', MOST_VALUES), tracer) : wordTest(machine, tracer, word.toLowerCase());
    if (typeof made === 'function') tests.push(made);
    else {
      wrong = made.wrong;
      tests.push(() => false);
    }
  }
  return { test: (ring, seq) => tests.every((test) => test(ring, seq)), ...(wrong !== undefined && { wrong }) };
}

function wordTest(machine: Machine, tracer: Tracer, text: string): Test {
  const names = codeNames(machine);
  return (ring, seq) => {
    const record = ring.get(seq);
    const all = `${EVENTS[record.event]!.name} ${laneOf(record)} ${wordsOf(machine, tracer, record)} ${names(record.code) ?? ''}`;
    return all.toLowerCase().includes(text);
  };
}
