/**
 * Symbols of the guest's code: from a file that a person loads, from the ELF image that was booted, or from a Linux in memory, in this order. They
 * are not part of the machine's state. Addresses are linear.
 */
import type { Machine } from '../machine/index';
import { type Backtrace, backtrace } from './backtrace';
import { type FilePieces, imageSymbols, readSymbols } from './file';
import { kernelReader } from './kernel-memory';
import { findLinux, type LinuxSymbols } from './linux';
import { LinuxModules, MODULES_START } from './modules';
import { Stack } from './stack';
import { placeName, type SymbolPlace, type SymbolTable } from './table';

const all = new WeakMap<Machine, GuestSymbols>();

/** The machine's own. */
export function symbolsOf(machine: Machine): GuestSymbols {
  let symbols = all.get(machine);
  if (!symbols) {
    symbols = new GuestSymbols(machine);
    all.set(machine, symbols);
  }
  return symbols;
}

export interface SymbolSource {
  /** "memlab", "vmlinux", "Linux in memory" */
  name: string;
  symbols: number;
  /** Offset added to the file's addresses, bytes (KASLR). */
  slide?: bigint;
  /** Why the source is not used. */
  unused?: string;
}

/** Instructions until the next search in a guest without kernel tables: doubled after each search, up to the second value. */
const PATIENCE = 20e6;
const MOST_PATIENCE = 640e6;
/** Symbols looked up both in a file and in the running kernel: if both are the same build, their distance is the KASLR offset. */
const ANCHORS = ['_text', '_stext', 'startup_64'];
const CHECKS = ['_etext', 'start_kernel', 'schedule', '_sinittext', 'linux_banner'];
const KERNEL_HALF = 1n << 63n;

export class GuestSymbols {
  private own: SymbolTable | undefined | null = null;
  private file: { name: string; table: SymbolTable } | undefined;
  private linux: LinuxSymbols | undefined;
  private modules: LinuxModules | undefined;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private patience = PATIENCE;
  private seenAt = -1;
  private fit: { slide: bigint; unused?: string } | undefined;

  constructor(private readonly machine: Machine) {
    machine.subscribe((event) => {
      if (event.type === 'reset' || event.type === 'restored') this.forget();
    });
  }

  /** Replaces the file loaded before. Throws SymbolError and keeps that one if the new file has no symbols. */
  async load(name: string, file: FilePieces): Promise<SymbolSource> {
    const table = await readSymbols(file);
    this.file = { name, table };
    this.fit = undefined;
    return this.sources()[0]!;
  }

  /** The current sources, in the order of search. */
  sources(): SymbolSource[] {
    const linux = this.kernel();
    const found: SymbolSource[] = [];
    if (this.file) {
      const { slide, unused } = this.fitOf();
      found.push({
        name: this.file.name,
        symbols: this.file.table.size,
        ...(slide !== 0n && { slide }),
        ...(unused !== undefined && { unused }),
      });
    }
    const own = this.image();
    if (own) found.push({ name: this.machine.guest!.name, symbols: own.size });
    if (linux) found.push({ name: 'Linux in memory', symbols: linux.size });
    const loaded = this.modules?.count;
    if (loaded?.modules)
      found.push({ name: `${loaded.modules} module${loaded.modules === 1 ? '' : 's'} in memory`, symbols: loaded.symbols });
    return found;
  }

  at(address: bigint): SymbolPlace | undefined {
    const linear = BigInt.asUintN(64, address);
    if (this.file) {
      const { slide, unused } = this.fitOf();
      const place = unused === undefined ? this.file.table.at(BigInt.asUintN(64, linear - slide)) : undefined;
      if (place) return place;
    }
    const own = this.image()?.at(linear);
    if (own || linear < KERNEL_HALF) return own;
    const kernel = this.kernel();
    return linear >= MODULES_START ? this.modules?.at(linear) : kernel?.at(linear);
  }

  /** "read_while+0x3"; undefined if unknown. */
  name(address: bigint): string | undefined {
    const place = this.at(address);
    return place && placeName(place);
  }

  /** Name for a gpa: from the running kernel's mapping of that page, or of the equal linear address. */
  nameOfPage(gpa: number): string | undefined {
    const extent = this.kernel() && this.linux?.extents.find((each) => gpa >= each.gpa && gpa < each.gpa + each.size);
    if (extent) return this.name(extent.gva + BigInt(gpa - extent.gpa));
    return this.machine.inspect.translate(BigInt(gpa)) === gpa ? this.name(BigInt(gpa)) : undefined;
  }

  /** The address of a name. */
  find(name: string): bigint | undefined {
    if (this.file) {
      const { slide, unused } = this.fitOf();
      const address = unused === undefined ? this.file.table.find(name) : undefined;
      if (address !== undefined) return BigInt.asUintN(64, address + slide);
    }
    return this.image()?.find(name) ?? this.kernel()?.find(name) ?? this.modules?.find(name);
  }

  /** For completion: names that begin with the prefix, sorted, at most `most`. */
  startingWith(prefix: string, most: number): string[] {
    const tables = [this.file && this.fitOf().unused === undefined ? this.file.table : undefined, this.image(), this.kernel()];
    const names = tables.flatMap((table) => table?.startingWith(prefix, most) ?? []);
    return [...new Set([...names, ...(this.modules?.startingWith(prefix, most) ?? [])])].sort().slice(0, most);
  }

  /** Backtrace of what the vCPU runs. */
  backtrace(vcpu: number): Backtrace {
    const stack = new Stack(this.machine, vcpu);
    return backtrace(
      stack,
      this.kernel(),
      (address) => this.modules?.orc(address, stack.read),
      (address) => this.at(address),
    );
  }

  private image(): SymbolTable | undefined {
    const { guest } = this.machine;
    if (this.own === null) this.own = guest && imageSymbols(guest.kernel);
    return this.own ?? undefined;
  }

  /** Found once, and again after a reset. Until then the search is repeated while the guest runs. */
  private kernel(): SymbolTable | undefined {
    const { instructions } = this.machine.run;
    if (this.linux) {
      if (this.seenAt === instructions || this.linux.stillThere()) {
        this.seenAt = instructions;
        return this.linux.table;
      }
      this.forget();
    }
    if (instructions >= this.lookedAt && instructions - this.lookedAt < this.patience) return undefined;
    if (instructions > this.lookedAt && this.lookedAt >= 0) this.patience = Math.min(2 * this.patience, MOST_PATIENCE);
    this.lookedAt = instructions;
    this.linux = findLinux(this.machine);
    this.seenAt = instructions;
    if (this.linux) this.fit = undefined;
    this.modules = this.linux && new LinuxModules(this.machine, this.linux.table, (data) => kernelReader(this.machine, data));
    return this.linux?.table;
  }

  private forget(): void {
    this.linux = undefined;
    this.modules = undefined;
    this.lookedAt = Number.NEGATIVE_INFINITY;
    this.patience = PATIENCE;
    this.fit = undefined;
  }

  /** The KASLR offset of the file's kernel, and whether that kernel is the running one. */
  private fitOf(): { slide: bigint; unused?: string } {
    const running = this.kernel();
    if (this.fit) return this.fit;
    const table = this.file!.table;
    this.fit = { slide: 0n };
    const anchor = ANCHORS.find((name) => (table.find(name) ?? 0n) >= KERNEL_HALF && running?.find(name) !== undefined);
    if (!running || anchor === undefined) return this.fit;
    const slide = running.find(anchor)! - table.find(anchor)!;
    const wrong = CHECKS.find((name) => {
      const [here, there] = [table.find(name), running.find(name)];
      return here !== undefined && there !== undefined && here + slide !== there;
    });
    this.fit = { slide, ...(wrong !== undefined && { unused: `the kernel that runs has ${wrong} elsewhere: it is another build` }) };
    return this.fit;
  }
}
