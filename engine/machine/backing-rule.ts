/**
 * The rule of ownership: a memslot lies inside one backing (a memory backend, a part of boot RAM, or a bare range), unless a person explicitly asked
 * for more (-f). The memslot engine applies it to every region that any request would map; there is no other such check.
 *
 * Undo and redo bring back regions that were accepted before. They get their memory back if it is still the same: a backing that was freed and
 * allocated again belongs to something else.
 */
import type { BackingClaim, BackingRule, HostSpan } from '../memory/index';
import type { HostMemory, HostRanges } from './host-memory';

/** The refusal of a region whose host memory was freed. */
export const hostMemoryFreed = (slot: number): string => `the host memory of memslot ${slot} was freed`;

export function makeBackingRule(host: HostMemory): BackingRule {
  return {
    get version() {
      return host.version;
    },
    refuse(slot, span, claim) {
      if (claim.since !== undefined) return host.isSince(span, claim.since) ? undefined : hostMemoryFreed(slot);
      return refuseBacking(slot, span, claim, host);
    },
  };
}

/** The rule for a new region, over any host memory: that of a machine, or that described by a file. */
export function refuseBacking(
  slot: number,
  { start, end }: HostSpan,
  { span, held }: Pick<BackingClaim, 'span' | 'held'>,
  ranges: HostRanges,
): string | undefined {
  const first = ranges.rangeAt(start);
  if (!first) return `hva ${hex(start)} is not host memory in use: leave it out to allocate some, or give a backend's`;
  const inside = first.start + first.size;
  if (end <= inside) return undefined;
  const room = inside - start;
  const beyond = `memslot ${slot} of ${hex(end - start)} bytes goes beyond its backing '${first.label}', which has ${hex(room)} bytes from there`;
  if (ranges.runEnd(start) < end) return `${beyond} (nearest size: ${hex(room)})`;
  if (span || held().some((old) => old.start <= start && end <= old.end)) return undefined;
  return `${beyond}, into '${ranges.rangeAt(inside)!.label}' (nearest size: ${hex(room)}; -f: use both anyway)`;
}

/** The parts of [start, end), one per backing. */
export function piecesOf({ start, end }: HostSpan, ranges: Pick<HostRanges, 'rangeAt'>): HostSpan[] {
  const pieces: HostSpan[] = [];
  for (let at = start; at < end; ) {
    const range = ranges.rangeAt(at);
    const to = Math.min(end, range ? range.start + range.size : end);
    pieces.push({ start: at, end: to });
    at = to;
  }
  return pieces;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
