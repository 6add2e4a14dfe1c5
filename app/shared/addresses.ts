/** Addresses in a line of text: 0x... or 16 hex digits, as the monitor and guests print them. */
export interface FoundAddress {
  /** As it stands in the line, and where. */
  text: string;
  at: number;
  address: number;
  /** The line says that it is an address of host memory. */
  inHost: boolean;
}

const PHYSICAL_LIMIT = 2 ** 46;
/** id, as, gpa, size, then the hva: a row of `info memslots`. */
const MEMSLOT_ROW = /^\s*\d+ +\d+ +0x[0-9a-f]{12} +\S+ +(?=0x)/;

export function addressesIn(line: string): FoundAddress[] {
  const hvaColumn = MEMSLOT_ROW.exec(line)?.[0].length;
  return [...line.matchAll(/\b(?:0x[0-9a-f]{1,16}|[0-9a-f]{16})\b/gi)].flatMap(({ 0: text, index: at }) => {
    const address = Number.parseInt(text.replace(/^0x/i, ''), 16);
    if (address >= PHYSICAL_LIMIT) return [];
    const before = line.slice(0, at);
    const inHost = at === hvaColumn || /\bhva +$/i.test(before) || /^Host virtual address .* is $/.test(before);
    return [{ text, at, address, inHost }];
  });
}
