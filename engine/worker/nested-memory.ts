/** Nested guests on the map: the machine's memory that belongs to them, bounded. */
import type { Machine } from '../machine/index';
import { MAX_NESTED_RANGES, type NestedMemory } from './protocol';

const PAGE = 4096;

/** Of all vCPUs' guests together. More than MAX_NESTED_RANGES ranges are joined over the smallest gaps. */
export function nestedMemory(machine: Machine): NestedMemory {
  const guests = machine.inspect.nestedGuests();
  const all = guests.flatMap(({ memory }) => memory).toSorted((a, b) => a.start - b.start);
  let ranges = joined(all, 0);
  const bytes = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  for (let gap = PAGE; ranges.length > MAX_NESTED_RANGES; gap *= 2) ranges = joined(ranges, gap);
  return { ranges, bytes, running: guests.filter(({ running }) => running).map(({ vcpu }) => vcpu), guests: guests.length };
}

function joined(sorted: readonly { start: number; end: number }[], gap: number): { start: number; end: number }[] {
  const result: { start: number; end: number }[] = [];
  for (const { start, end } of sorted) {
    const last = result.at(-1);
    if (last && start - last.end <= gap) last.end = Math.max(last.end, end);
    else result.push({ start, end });
  }
  return result;
}
