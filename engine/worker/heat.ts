/** The page's dirty heat map. It is bounded, and harvests nothing, so the dirty log stays complete for its readers. */
import type { Machine } from '../machine/index';
import { type DirtyHeat, type HeatSpan, MAX_HEAT_COLUMNS, MAX_HEAT_SPANS } from './protocol';

const PAGE = 4096;
const SPACE_END = 2 ** 52;

/** Throws one line that names the span at fault. */
export function dirtyHeat(machine: Machine, spans: readonly HeatSpan[], asId: number, at: number | undefined): DirtyHeat {
  if (spans.length > MAX_HEAT_SPANS) throw new Error(`${spans.length} spans are requested, at most ${MAX_HEAT_SPANS}`);
  for (const { from, to, columns } of spans) {
    if (!(from >= 0 && from < to && to <= SPACE_END)) throw new Error(`a span from ${from} to ${to} is not a range of addresses`);
    if (!Number.isInteger(columns) || columns < 1) throw new Error(`a span has whole columns, at least 1, not ${columns}`);
  }
  const total = spans.reduce((sum, span) => sum + span.columns, 0);
  if (total > MAX_HEAT_COLUMNS) throw new Error(`${total} columns are requested, at most ${MAX_HEAT_COLUMNS}`);
  const { dirtyLog } = machine.memory;
  const columns = new Uint8Array(total);
  let done = 0;
  for (const span of spans) {
    dirtyLog.heat(asId, span.from / PAGE, span.to / PAGE, span.columns, columns, done);
    done += span.columns;
  }
  return { columns, rings: machine.rings.status(), ...(at === undefined ? {} : pageAt(machine, asId, at)) };
}

function pageAt(machine: Machine, asId: number, gpa: number): Pick<DirtyHeat, 'at'> {
  const gfn = Math.floor(gpa / PAGE);
  const slot = machine.memory.memslotAt(gfn, asId);
  const summary = slot && machine.memory.dirtyLog.summary(slot.slot, asId, gfn - slot.baseGfn);
  return summary ? { at: { slot: slot.slot, ...summary } } : {};
}
