/**
 * Linux's ORC unwind tables (arch/x86/include/asm/orc_types.h, arch/x86/kernel/unwind_orc.c), read from guest memory: for each place in the kernel's
 * code they give the caller's stack pointer, RBP and return address. Both layouts: that of 6.1, and that of 6.4 and newer.
 */
import type { SymbolTable } from './table';

export interface OrcEntry {
  spOffset: number;
  bpOffset: number;
  spReg: number;
  bpReg: number;
  type: 'call' | 'regs' | 'regs-partial' | 'end' | 'undefined';
}

export const OrcReg = { undefined: 0, prevSp: 1, dx: 2, di: 3, bp: 4, sp: 5, r10: 6, r13: 7, bpIndirect: 8, spIndirect: 9 } as const;

/** Bytes at a gva; undefined if one of them cannot be read. */
export type ReadBytes = (gva: bigint, length: number) => Uint8Array | undefined;

const ENTRY = 6;
const MOST_ENTRIES = 8_000_000;
const SAMPLES = 64;

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export class Orc {
  private constructor(
    private readonly read: ReadBytes,
    private readonly ips: bigint,
    private readonly entries: bigint,
    private readonly count: number,
    /** Types have three bits and different meanings. */
    private readonly since64: boolean,
  ) {}

  /** undefined: this kernel has no tables, or they cannot be read now. */
  static of(symbols: SymbolTable, read: ReadBytes): Orc | undefined {
    const [ips, ipsEnd, entries, entriesEnd] = [
      '__start_orc_unwind_ip',
      '__stop_orc_unwind_ip',
      '__start_orc_unwind',
      '__stop_orc_unwind',
    ].map((name) => symbols.find(name));
    if (ips === undefined || ipsEnd === undefined || entries === undefined || entriesEnd === undefined) return undefined;
    const count = Number((ipsEnd - ips) / 4n);
    if (count < 2 || count > MOST_ENTRIES || entriesEnd - entries < BigInt(count * ENTRY)) return undefined;
    return Orc.at(read, ips, entries, count);
  }

  /** Tables at a known place, such as a module's. */
  static at(read: ReadBytes, ips: bigint, entries: bigint, count: number): Orc | undefined {
    const since64 = isSince64(read, entries, count);
    return since64 === undefined ? undefined : new Orc(read, ips, entries, count, since64);
  }

  /** The entry for a code address, or undefined. */
  at(ip: bigint): OrcEntry | undefined {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const start = this.ipOf(middle);
      if (start === undefined) return undefined;
      if (start <= ip) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : this.entry(low - 1);
  }

  private ipOf(index: number): bigint | undefined {
    const at = this.ips + BigInt(4 * index);
    const bytes = this.read(at, 4);
    return bytes && at + BigInt(view(bytes).getInt32(0, true));
  }

  private entry(index: number): OrcEntry | undefined {
    const bytes = this.read(this.entries + BigInt(ENTRY * index), ENTRY);
    if (!bytes) return undefined;
    const flags = view(bytes).getUint16(4, true);
    const kind = (flags >> 8) & 7;
    const types = this.since64
      ? (['undefined', 'end', 'call', 'regs', 'regs-partial'] as const)
      : (['call', 'regs', 'regs-partial'] as const);
    return {
      spOffset: view(bytes).getInt16(0, true),
      bpOffset: view(bytes).getInt16(2, true),
      spReg: flags & 15,
      bpReg: (flags >> 4) & 15,
      // Before 6.4 bit 10 marks the end of a stack.
      type: !this.since64 && (flags & 0x400) !== 0 ? 'end' : (types[this.since64 ? kind : kind & 3] ?? 'undefined'),
    };
  }
}

/** Most entries are of type call: 0 before 6.4, 2 since. */
function isSince64(read: ReadBytes, entries: bigint, count: number): boolean | undefined {
  let calls = 0;
  let seen = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const bytes = read(entries + BigInt(ENTRY * Math.floor((sample * (count - 1)) / SAMPLES)), ENTRY);
    const flags = bytes && view(bytes).getUint16(4, true);
    if (flags === undefined || (flags & 15) === OrcReg.undefined) continue;
    seen += 1;
    if (((flags >> 8) & 7) === 2) calls += 1;
  }
  return seen === 0 ? undefined : calls * 2 > seen;
}
