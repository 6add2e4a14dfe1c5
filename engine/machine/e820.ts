/** The guest's memory map (ACPI 6.4 section 15), generated from the memslots that exist when the guest is loaded. */

export const E820_RAM = 1;
export const E820_RESERVED = 2;
export const E820_ACPI = 3;

export interface E820Entry {
  /** bytes, half-open */
  start: number;
  end: number;
  type: number;
}

/** The type of a memslot for firmware; undefined: not listed (ACPI announces DIMMs, not this map). */
export interface E820Source {
  start: number;
  end: number;
  type: number | undefined;
}

/** sources: disjoint, in address order. `acpi`: where the tables lie inside one of them. Adjacent ranges of one type are joined. */
export function makeE820(sources: readonly E820Source[], acpi?: { start: number; end: number }): E820Entry[] {
  const entries: E820Entry[] = [];
  const add = (start: number, end: number, type: number) => {
    if (start >= end) return;
    const last = entries.at(-1);
    if (last && last.type === type && last.end === start) last.end = end;
    else entries.push({ start, end, type });
  };
  for (const { start, end, type } of sources) {
    if (type === undefined) continue;
    if (acpi && acpi.start >= start && acpi.end <= end) {
      add(start, acpi.start, type);
      add(acpi.start, acpi.end, E820_ACPI);
      add(acpi.end, end, type);
    } else add(start, end, type);
  }
  return entries;
}

/** Is all of [start, end) one piece of usable RAM? */
export function isRam(map: readonly E820Entry[], start: number, end: number): boolean {
  return map.some((entry) => entry.type === E820_RAM && entry.start <= start && end <= entry.end);
}

/** Highest page-aligned start of `size` bytes of RAM in [from, below), or undefined. */
export function highestRam(map: readonly E820Entry[], size: number, from: number, below: number): number | undefined {
  let best: number | undefined;
  for (const entry of map) {
    if (entry.type !== E820_RAM) continue;
    const end = Math.min(entry.end, below);
    const start = Math.floor((end - size) / 0x1000) * 0x1000;
    if (start >= Math.max(entry.start, from) && (best === undefined || start > best)) best = start;
  }
  return best;
}
