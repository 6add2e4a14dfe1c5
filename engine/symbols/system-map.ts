/** System.map, /proc/kallsyms and the output of nm: lines of address, type and name. */
import { printable } from './elf-symbol';
import { SymbolError } from './error';
import { type Named, type SymbolTable, tableOf } from './table';

const MOST_SYMBOLS = 2_000_000;
const LINE = /^([0-9a-f]{8,16}) ([A-Za-z?]) (\S{1,512})(?:\s+\[\S*\])?\s*$/i;
/** The half of the address space for kernels. */
const KERNEL_HALF = 1n << 63n;

/** Throws SymbolError with the first malformed line. */
export function systemMapSymbols(text: string): SymbolTable {
  const found: Named[] = [];
  let row = 0;
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start);
    const line = text.slice(start, end < 0 ? text.length : end);
    start = end < 0 ? text.length : end + 1;
    row += 1;
    if (line.trim() === '' || /^\s+[UwvW] \S+$/.test(line)) continue;
    const match = LINE.exec(line);
    if (!match) throw new SymbolError(`line ${row} is not "address type name": ${JSON.stringify(line.slice(0, 40))}`);
    const [, address, type, name] = match;
    // Absolute symbols are numbers, not addresses.
    if (type === 'A' || type === 'a' || !printable(name!)) continue;
    if (found.length === MOST_SYMBOLS) throw new SymbolError(`it has more than ${MOST_SYMBOLS} symbols`);
    found.push({ address: BigInt(`0x${address}`), name: name!, size: Number.POSITIVE_INFINITY, rank: found.length });
  }
  if (found.length === 0) throw new SymbolError('it names no symbol');
  if (found.every(({ address }) => address === 0n))
    throw new SymbolError('all its addresses are 0: /proc/kallsyms hides them from readers without CAP_SYSLOG (kernel.kptr_restrict)');
  // A kernel's map has offsets into per-CPU areas, too.
  const kernel = found.filter(({ address }) => address >= KERNEL_HALF);
  return tableOf(kernel.length > 0 ? kernel : found);
}
