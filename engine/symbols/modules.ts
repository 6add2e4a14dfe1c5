/**
 * Modules of a running Linux: names of their code and data, and their ORC tables, read from the kernel's own memory. `struct module` begins with
 * state, list and name in every kernel (include/linux/module.h). The positions of the other fields depend on how the kernel was built; they are
 * recognized by their contents: mod_kallsyms (symbols, their count, names) and, on x86, the ORC tables (their count, places, entries). All that is
 * read must be consistent, so memory that is something else gives no names.
 */
import type { Machine } from '../machine/index';
import { MOST_NAME, printable, STT_FUNC, STT_NOTYPE, STT_OBJECT } from './elf-symbol';
import type { KernelReader } from './kernel-memory';
import { Orc } from './orc';
import { type Named, type SymbolPlace, type SymbolTable, tableOf } from './table';

/** The address range of modules: the last GiB without the fixmap (arch/x86/include/asm/pgtable_64_types.h). */
export const MODULES_START = 0xffffffffc0000000n;
const MODULES_END = 0xffffffffff000000n;

const LIST = 8n;
const NAME = 24;
const NAME_LENGTH = 56;
const UNFORMED = 3;
const GOING = 2;
const MOST_MODULES = 512;
/** Bytes of struct module to search. */
const STRUCT = 2048;
const MOST_SYMBOLS = 200_000;
const MOST_TEXT = 8 * 1024 * 1024;
const MOST_ORCS = 1_000_000;
const SYMBOL = 24;
const PAGE = 4096;

interface Module {
  name: string;
  /** gva of its struct */
  at: bigint;
  table: SymbolTable;
  /** Where its names lie, [start, end) */
  start: bigint;
  end: bigint;
  orc: { ips: bigint; entries: bigint; count: number } | undefined;
}

const inModules = (address: bigint): boolean => address >= MODULES_START && address < MODULES_END;

export class LinuxModules {
  private modules: Module[] = [];
  private seenAt = -1;

  constructor(
    private readonly machine: Machine,
    /** The kernel's own */
    private readonly kernel: SymbolTable,
    private readonly reader: (data: bigint) => KernelReader | undefined,
  ) {}

  at(address: bigint): SymbolPlace | undefined {
    const module = this.of(address);
    const place = module?.table.at(address);
    return place && { ...place, module: module!.name };
  }

  find(name: string): bigint | undefined {
    for (const { table } of this.now()) {
      const address = table.find(name);
      if (address !== undefined) return address;
    }
    return undefined;
  }

  startingWith(prefix: string, most: number): string[] {
    return this.now().flatMap(({ table }) => table.startingWith(prefix, most));
  }

  /** The ORC table of the module that an address lies in. */
  orc(address: bigint, read: (gva: bigint, length: number) => Uint8Array | undefined): Orc | undefined {
    const orc = this.of(address)?.orc;
    return orc && Orc.at(read, orc.ips, orc.entries, orc.count);
  }

  get count(): { modules: number; symbols: number } {
    const modules = this.now();
    return { modules: modules.length, symbols: modules.reduce((sum, { table }) => sum + table.size, 0) };
  }

  private of(address: bigint): Module | undefined {
    return inModules(address) ? this.now().find(({ start, end }) => address >= start && address < end) : undefined;
  }

  /** The modules loaded now. The list is walked again whenever the guest has run; symbols are read once per module. */
  private now(): Module[] {
    const { instructions } = this.machine.run;
    if (this.seenAt === instructions) return this.modules;
    const head = this.kernel.find('modules');
    const read = head === undefined ? undefined : this.reader(head);
    // No vCPU may be able to reach the kernel's memory now: the previous result stays.
    if (head === undefined || !read) return this.modules;
    this.seenAt = instructions;
    const found: Module[] = [];
    let next = word(read(head, 8));
    for (let seen = 0; next !== undefined && next !== head && inModules(next) && seen < MOST_MODULES; seen++) {
      const at = next - LIST;
      const start = read(at, NAME + NAME_LENGTH);
      if (!start) break;
      const name = text(start.subarray(NAME));
      const known = this.modules.find((each) => each.at === at && each.name === name);
      const state = new DataView(start.buffer, start.byteOffset).getUint32(0, true);
      const module = known ?? (state < GOING && /^\w+$/.test(name) ? readModule(read, at, name) : undefined);
      if (module && state !== UNFORMED) found.push(module);
      next = word(start.subarray(Number(LIST), Number(LIST) + 8));
    }
    this.modules = found;
    return found;
  }
}

const word = (bytes: Uint8Array | undefined): bigint | undefined =>
  bytes && new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);

function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder('latin1').decode(bytes.subarray(0, end < 0 ? 0 : end));
}

function readModule(read: KernelReader, at: bigint, name: string): Module | undefined {
  const bytes = read(at, STRUCT) ?? read(at, PAGE - Number(at % BigInt(PAGE)));
  if (!bytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let table: SymbolTable | undefined;
  let orc: Module['orc'];
  for (let offset = NAME + NAME_LENGTH; offset + 32 <= view.byteLength && (!table || !orc); offset += 8) {
    // num_symtab and num_orcs are 32 bits wide.
    const [first, second, third] = [0, 8, 16].map((each) => view.getBigUint64(offset + each, true)) as [bigint, bigint, bigint];
    if (!table && inModules(first) && inModules(third)) table = symbolsAt(read, first, Number(second & 0xffffffffn), third);
    if (!orc && inModules(second) && inModules(third)) orc = orcAt(read, Number(first & 0xffffffffn), second, third);
  }
  const range = table?.range;
  return table && range && { name, at, table, ...range, orc };
}

/** struct mod_kallsyms { Elf64_Sym *symtab; unsigned int num_symtab; char *strtab; ... } of a relocated module. */
function symbolsAt(read: KernelReader, symtab: bigint, count: number, strtab: bigint): SymbolTable | undefined {
  if (count < 2 || count > MOST_SYMBOLS) return undefined;
  const entries = read(symtab, count * SYMBOL);
  // The first entry of an ELF symbol table is empty.
  if (!entries || entries.subarray(0, SYMBOL).some((byte) => byte !== 0)) return undefined;
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  let most = 0;
  for (let index = 1; index < count; index++) most = Math.max(most, view.getUint32(index * SYMBOL, true));
  if (most > MOST_TEXT) return undefined;
  const strings = readUpTo(read, strtab, most + MOST_NAME, most + 1);
  if (strings?.[0] !== 0) return undefined;
  const found: Named[] = [];
  for (let index = 1; index < count; index++) {
    const at = index * SYMBOL;
    const info = entries[at + 4]!;
    const kind = info & 15;
    const address = view.getBigUint64(at + 8, true);
    const size = Number(view.getBigUint64(at + 16, true));
    if ((kind !== STT_FUNC && kind !== STT_OBJECT && kind !== STT_NOTYPE) || !inModules(address)) continue;
    const name = text(strings.subarray(view.getUint32(at, true), view.getUint32(at, true) + MOST_NAME));
    if (name === '' || !printable(name)) continue;
    found.push({
      address,
      name,
      size: size || (kind === STT_FUNC ? Number.POSITIVE_INFINITY : 0),
      rank: kind === STT_NOTYPE ? 2 : info >> 4 === 0 ? 1 : 0,
    });
  }
  return found.length > 0 ? tableOf(found) : undefined;
}

/** Names end at a page that is not mapped. */
function readUpTo(read: KernelReader, at: bigint, most: number, least: number): Uint8Array | undefined {
  const toPage = (length: number): number => Math.ceil((Number(at % BigInt(PAGE)) + length) / PAGE) * PAGE - Number(at % BigInt(PAGE));
  return read(at, most) ?? read(at, toPage(least));
}

/**
 * struct mod_arch_specific { unsigned int num_orcs; int *orc_unwind_ip; struct orc_entry *orc_unwind; }. A count followed by two pointers is common
 * in struct module (num_gpl_syms has them); places that rise from the first to the last are not.
 */
function orcAt(read: KernelReader, count: number, ips: bigint, entries: bigint): Module['orc'] {
  if (count < 2 || count > MOST_ORCS) return undefined;
  const bytes = read(ips, 4 * count);
  if (!bytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Relative to ips, so that plain numbers suffice.
  let before = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < 4 * count; at += 4) {
    const place = at + view.getInt32(at, true);
    if (place < before) return undefined;
    before = place;
  }
  const [first, last] = [ips + BigInt(view.getInt32(0, true)), ips + BigInt(before)];
  if (!inModules(first) || !inModules(last) || last - first > BigInt(MOST_TEXT)) return undefined;
  return read(entries, count * 6) ? { ips, entries, count } : undefined;
}
