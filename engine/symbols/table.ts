/** Names of addresses: sorted by address, found by binary search. Strings are built on demand: a Linux has 150,000. */

export interface SymbolPlace {
  name: string;
  /** bytes from the symbol's start */
  offset: number;
  /** The kernel module that it belongs to. */
  module?: string;
}

export interface SymbolColumns {
  /** Ascending; equal addresses in order of preference. */
  addresses: BigUint64Array;
  /** Bytes of each symbol; Infinity, or no array: up to the next symbol. 0: a mark, which names nothing. */
  sizes?: Float64Array;
  name(index: number): string;
}

/** Size of a last symbol of unknown size, bytes. */
const REACH = 0x100000n;

export class SymbolTable {
  private names: Map<string, bigint> | undefined;

  constructor(private readonly columns: SymbolColumns) {}

  get size(): number {
    return this.columns.addresses.length;
  }

  /** From the first symbol to the end of the last; undefined: there is none. */
  get range(): { start: bigint; end: bigint } | undefined {
    const { addresses, sizes } = this.columns;
    const last = addresses.length - 1;
    if (last < 0) return undefined;
    const size = sizes?.[last] ?? Number.POSITIVE_INFINITY;
    return { start: addresses[0]!, end: addresses[last]! + (Number.isFinite(size) ? BigInt(Math.max(1, size)) : REACH) };
  }

  /** The symbol that contains an address; undefined between two symbols. */
  at(address: bigint): SymbolPlace | undefined {
    const { addresses, sizes } = this.columns;
    let low = 0;
    let high = addresses.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (addresses[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    const start = addresses[low - 1]!;
    const offset = address - start;
    if (offset > REACH) return undefined;
    // The first of those that begin there.
    let index = low - 1;
    while (index > 0 && addresses[index - 1] === start) index -= 1;
    if (Number(offset) >= (sizes?.[index] ?? Number.POSITIVE_INFINITY)) return undefined;
    return { name: this.columns.name(index), offset: Number(offset) };
  }

  /** The address of a name; that of the first symbol if several have it. */
  find(name: string): bigint | undefined {
    return this.all().get(name);
  }

  /** Names that begin with the prefix, sorted, at most `most`. */
  startingWith(prefix: string, most: number): string[] {
    const found: string[] = [];
    for (const name of this.all().keys()) if (name.startsWith(prefix)) found.push(name);
    return found.sort().slice(0, most);
  }

  private all(): Map<string, bigint> {
    if (this.names) return this.names;
    const names = new Map<string, bigint>();
    const { addresses, name } = this.columns;
    for (let index = 0; index < addresses.length; index++) {
      const each = name(index);
      if (!names.has(each)) names.set(each, addresses[index]!);
    }
    this.names = names;
    return names;
  }
}

export interface Named {
  address: bigint;
  name: string;
  /** bytes; Infinity: not known; 0: a mark, such as _end */
  size: number;
  /** Preference among the names of one address; the lowest wins. */
  rank: number;
}

export function tableOf(symbols: Named[]): SymbolTable {
  const sorted = symbols.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.rank - b.rank));
  return new SymbolTable({
    addresses: BigUint64Array.from(sorted, ({ address }) => address),
    sizes: Float64Array.from(sorted, ({ size }) => size),
    name: (index) => sorted[index]!.name,
  });
}

/** "read_while+0x3" and "kvm_vcpu_ioctl+0x5 [kvm]", as the kernel prints them; "read_while" at its start. */
export const placeName = ({ name, offset, module }: SymbolPlace): string =>
  `${name}${offset === 0 ? '' : `+0x${offset.toString(16)}`}${module === undefined ? '' : ` [${module}]`}`;
