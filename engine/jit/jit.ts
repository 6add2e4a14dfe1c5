/**
 * Guest code as WebAssembly: compiles a region when the core's samples find a page hot, links it into the core, and drops it when its code is
 * written. graph.ts chooses the code of a region, region.ts writes it. The guest cannot tell: a region runs whole instructions with the interpreter's
 * results, or exits.
 */
import { type CoreExports, REGION_HELPERS } from '../abi/core';
import { JIT_EXITS, JIT_LINKED, JIT_RAN, JIT_WINDOWS_DROPPED, JIT_WINDOWS_FILLED } from '../abi/layout';
import { FunctionSlots, TableMemory, WindowCells } from './cache';
import { discover, type Limits } from './graph';
import type { Table } from './jump-table';
import { INTERPRET, Reason } from './locals';
import { isCached, OPERATIONS } from './records';
import { type Region, writeRegion } from './region';
import { type CodePlace, type CodeTier, tierOf } from './tier';

export interface JitOptions {
  /** Instructions between two samples of the guest's RIP. */
  quantum: number;
  /** Samples that make a page hot if it gets them all; a page with a smaller share needs more (engine/cpu/regions.ts). */
  samples: number;
  limits: Limits;
  /** Most compiled regions. The least entered ones are evicted. */
  regions: number;
  /** A page whose code was written this often is not compiled for a while. */
  thrashing: number;
}

export const JIT_DEFAULTS: JitOptions = {
  quantum: 12000,
  samples: 64,
  limits: { instructions: 200, pages: 8 },
  regions: 2000,
  thrashing: 12,
};

export type DropReason = 'written' | 'flushed' | 'evicted';

export interface JitFigures {
  /** Present regions, their wasm bytes, and the bytes of guest code in them. */
  regions: number;
  bytes: number;
  guestBytes: number;
  instructions: number;
  /** Regions compiled since the start, and the time that took, ms. */
  compiled: number;
  compileTime: number;
  drops: Record<DropReason, number>;
  /** Instructions that compiled code has run. */
  ran: number;
  /** Jumps from one region into another. */
  linked: number;
  /** Windows in use, filled and dropped, and windows given up because they missed too often. */
  windows: { exist: number; filled: number; dropped: number; given: number };
  /** Reasons of exits with their counts, most frequent first. */
  exits: { reason: string; count: number }[];
  /** Why nothing is compiled: run-time compilation is forbidden. */
  refused?: string;
}

interface Live {
  region: Region;
  /** Names of windows that it no longer uses. */
  solo: Set<string>;
  slot: number;
  hostPages: number[];
  blocks: number[];
  entryBlocks: number[];
}

const describe = ({ region, blocks }: Live) => ({
  nodes: region.nodes,
  blocks,
  instructions: region.instructions,
  bytes: region.code.length,
});

/** Why nothing can be compiled; undefined: it can. */
function refusal(): string | undefined {
  try {
    new WebAssembly.Module(EMPTY_MODULE);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Magic number and version. */
const EMPTY_MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** A page that thrashes may be compiled again once it was hot this often without being compiled. */
const FORGET_AFTER = 64;

/** Misses that let a window be given up together with another. Forty commits that drop every window must stay below it: they say nothing about it. */
const MANY_MISSES = 100;

export class Jit {
  private core: CoreExports | undefined;
  private slots!: FunctionSlots;
  private helpers: readonly unknown[] = [];
  private readonly tables = new TableMemory();
  private readonly cells: WindowCells;
  private readonly windowOwner = new Map<number, { live: Live; name: string }>();
  private soloWindows = 0;
  private view = new DataView(new ArrayBuffer(0));
  private readonly live = new Set<Live>();
  private readonly byPage = new Map<number, Set<Live>>();
  private readonly entryOwner = new Map<number, Live>();
  private readonly written = new Map<number, number>();
  private compiled = 0;
  private inVain = 0;
  private compileTime = 0;
  private droppedApart = 0;
  private readonly drops: Record<DropReason, number> = { written: 0, flushed: 0, evicted: 0 };
  private refused: string | undefined;

  /** `now`: ms, for figures only. `vcpus`: how many there are. */
  constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly now: () => number,
    private readonly report: (text: string) => void,
    vcpus: number,
    private readonly options: JitOptions = JIT_DEFAULTS,
  ) {
    this.cells = new WindowCells(vcpus);
  }

  /** Called when the core is loaded: begins sampling. */
  attach(core: CoreExports): void {
    this.core = core;
    this.slots = new FunctionSlots(core.table);
    this.helpers = REGION_HELPERS.map((name) => (core as unknown as Record<string, unknown>)[name]);
    this.refused = refusal();
    if (this.refused === undefined) core.jitSetup(this.options.quantum, this.options.samples);
  }

  /** CoreImports.jitHot. */
  hot(block: number, pageLow: number, pageHigh: number): void {
    const { core } = this;
    if (core === undefined) return;
    this.compiling(core, () => this.compile(core, block >>> 0, (BigInt(pageHigh >>> 0) << 32n) | BigInt(pageLow >>> 0)));
  }

  /** A policy may forbid run-time compilation; the interpreter then runs everything. */
  private compiling(core: CoreExports, act: () => void): void {
    const start = this.now();
    try {
      act();
    } catch (error) {
      this.refused = (error as Error).message;
      core.jitSetup(0, 0);
      this.report(`the JIT is off: ${this.refused}`);
    }
    this.compileTime += this.now() - start;
  }

  private compile(core: CoreExports, block: number, page: bigint): void {
    this.refreshView();
    const graph = discover(this.view, core, block, page, this.options.limits);
    const hostPages = graph.pages.map(({ host }) => host);
    if (hostPages.some((host) => (this.written.get(host) ?? 0) >= this.options.thrashing)) {
      this.forget();
      return;
    }
    if (this.live.size >= this.options.regions) this.evict(core);
    const prepared = new Map<number, number>();
    const room = {
      allocate: (bits: number): number => this.tables.allocate(bits),
      prepare: (at: number): number => {
        const entry = core.jitPrepare(at);
        if (entry === 0) return 0;
        prepared.set(at, entry);
        return core.jitTwin(entry) >>> 0;
      },
      window: () => this.cells.allocate(this.view),
      release: (table: Table, windows: Iterable<number>) => {
        this.tables.release(table.address, table.bits);
        for (const cell of windows) this.cells.release(cell);
      },
    };
    let region: Region | undefined;
    try {
      region = writeRegion(graph, room, this.view);
    } catch (error) {
      // An invariant does not hold: the interpreter runs this code, and everything else continues.
      for (const host of hostPages) this.written.set(host, Number.POSITIVE_INFINITY);
      this.report(
        `the JIT does not compile code at 0x${(page + BigInt(graph.nodes.keys().next().value ?? 0)).toString(16)}: ${(error as Error).message}`,
      );
      return;
    }
    if (region === undefined) {
      this.evict(core);
      return;
    }
    const slot = this.slots.put(this.instantiate(region.code));
    const blocks = [...graph.nodes.values()].map((node) => node.block);
    const live: Live = { region, solo: new Set(), slot, hostPages, blocks, entryBlocks: [] };
    this.own(live);
    for (const at of blocks) core.jitCover(at, 1);
    for (const [number, node] of region.entries.entries()) {
      const entry = prepared.get(node.block);
      if (entry === undefined) continue;
      core.jitInstall(node.block, entry, slot, number, graph.pages[node.page]!.delta, 1 << node.page);
      live.entryBlocks.push(node.block);
      this.entryOwner.set(node.block, live);
    }
    for (const host of hostPages) {
      core.jitWatch(host);
      const owners = this.byPage.get(host);
      if (owners) owners.add(live);
      else this.byPage.set(host, new Set([live]));
    }
    this.live.add(live);
    this.compiled++;
  }

  /** Growing the memory detaches views of it. */
  private refreshView(): void {
    if (this.view.buffer !== this.memory.buffer) this.view = new DataView(this.memory.buffer);
  }

  /** A table of helpers for each module: an engine keeps every instance that imports a table as long as that table, even if the region was dropped. */
  private imports(): WebAssembly.Imports {
    const helpers = new WebAssembly.Table({ initial: this.helpers.length, element: 'anyfunc' });
    for (const [place, helper] of this.helpers.entries()) helpers.set(place, helper);
    return { env: { memory: this.memory, helpers } };
  }

  private instantiate(code: Uint8Array<ArrayBuffer>): unknown {
    return new WebAssembly.Instance(new WebAssembly.Module(code), this.imports()).exports.region;
  }

  /** CoreImports.jitMisses: from now on the region's accesses through this window use the TLB. */
  misses(window: number): void {
    const owner = this.windowOwner.get(window);
    const { core } = this;
    if (core === undefined || owner === undefined || owner.live.solo.has(owner.name)) return;
    this.refreshView();
    const { live, name } = owner;
    const given = [name];
    // Others that are close to the limit are given up with it, so that the region is written only once.
    for (const [other, cell] of live.region.windows) {
      if (other !== name && !live.solo.has(other) && this.cells.misses(this.view, cell) >= MANY_MISSES) given.push(other);
    }
    for (const each of given) live.solo.add(each);
    this.soloWindows += given.length;
    this.compiling(core, () => {
      const { exits } = live.region;
      if (!live.region.again(this.view, live.solo)) return;
      this.tables.release(exits.address, exits.bits);
      this.own(live);
      this.slots.replace(live.slot, this.instantiate(live.region.code));
    });
  }

  /** CoreImports.jitDropped: blocks of the page were dropped; below 0: all blocks. */
  dropped(hostPage: number): void {
    if (hostPage < 0) {
      for (const live of this.live) {
        this.release(live);
        this.drops.flushed++;
      }
      this.live.clear();
      this.byPage.clear();
      this.entryOwner.clear();
      return;
    }
    this.refreshView();
    const gone = [...(this.byPage.get(hostPage) ?? [])].filter(({ blocks }) => blocks.some((at) => !isCached(this.view, at)));
    if (gone.length > 0) this.written.set(hostPage, (this.written.get(hostPage) ?? 0) + 1);
    for (const live of gone) this.drop(live, 'written');
  }

  private drop(live: Live, reason: DropReason): void {
    const core = this.core!;
    for (const block of live.blocks) {
      const owner = this.entryOwner.get(block);
      if (owner !== undefined && owner !== live) continue;
      if (owner === live) this.entryOwner.delete(block);
      core.jitCover(block, 0);
    }
    for (const host of live.hostPages) {
      const owners = this.byPage.get(host);
      owners?.delete(live);
      if (owners?.size === 0) this.byPage.delete(host);
    }
    this.release(live);
    this.live.delete(live);
    this.drops[reason]++;
  }

  /** Frees the region's windows. */
  private own(live: Live): void {
    for (const [name, cell] of live.region.windows) this.windowOwner.set(cell, { live, name });
  }

  private release({ slot, region }: Live): void {
    this.slots.release(slot);
    for (const { address, bits } of [region.table, region.exits]) this.tables.release(address, bits);
    for (const cell of region.windows.values()) {
      this.windowOwner.delete(cell);
      this.cells.release(cell);
    }
  }

  /** Evicts a quarter of the regions: those entered least since the last eviction. */
  private evict(core: CoreExports): void {
    const used = [...this.live].map((live) => ({ live, uses: live.entryBlocks.reduce((sum, block) => sum + core.jitUses(block), 0) }));
    used.sort((a, b) => a.uses - b.uses);
    for (const { live } of used.slice(0, Math.ceil(used.length / 4))) this.drop(live, 'evicted');
  }

  /** Records a hot page that is not compiled because it thrashes. */
  private forget(): void {
    if (++this.inVain % FORGET_AFTER !== 0) return;
    for (const [page, times] of this.written) if (Number.isFinite(times)) this.written.delete(page);
  }

  private counter(at: number): number {
    return this.view.getUint32(at, true);
  }

  figures(): JitFigures {
    this.refreshView();
    let bytes = 0;
    let guestBytes = 0;
    let instructions = 0;
    for (const { region } of this.live) {
      bytes += region.code.length;
      guestBytes += region.guestBytes;
      instructions += region.instructions;
    }
    const { compiled, compileTime, drops, refused } = this;
    return {
      regions: this.live.size,
      bytes,
      guestBytes,
      instructions,
      compiled,
      compileTime,
      drops: { ...drops },
      ran: Number(this.view.getBigUint64(JIT_RAN, true)),
      linked: this.counter(JIT_LINKED),
      windows: {
        exist: this.windowOwner.size,
        filled: this.counter(JIT_WINDOWS_FILLED),
        dropped: this.counter(JIT_WINDOWS_DROPPED),
        given: this.soloWindows,
      },
      exits: this.exits(),
      ...(refused === undefined ? {} : { refused }),
    };
  }

  /** Windows that `work` drops are not a cost of moving memory: `counters` omits them; `info jit` counts all. */
  countApart(work: () => void): void {
    this.refreshView();
    const before = this.counter(JIT_WINDOWS_DROPPED);
    work();
    this.droppedApart += this.counter(JIT_WINDOWS_DROPPED) - before;
  }

  /** Which tier runs the code there. */
  tier(place: CodePlace): CodeTier {
    this.refreshView();
    const at = (hostPage: number) => [...(this.byPage.get(hostPage) ?? [])].map(describe);
    const written = (hostPage: number): number => this.written.get(hostPage) ?? 0;
    const { view, refused } = this;
    return tierOf({ view, core: this.core!, at, written, thrashing: this.options.thrashing, refused }, place);
  }

  /** The figures that change all the time, for frequent polling. All but `jit_regions` only count up. */
  counters(): Record<
    'jit_instructions' | 'jit_regions' | 'jit_regions_dropped' | 'jit_windows_dropped' | 'jit_compile_us' | 'jit_refused',
    number
  > {
    this.refreshView();
    const { written, flushed, evicted } = this.drops;
    return {
      jit_instructions: Number(this.view.getBigUint64(JIT_RAN, true)),
      jit_regions: this.live.size,
      jit_regions_dropped: written + flushed + evicted,
      jit_windows_dropped: this.counter(JIT_WINDOWS_DROPPED) - this.droppedApart,
      jit_compile_us: Math.round(this.compileTime * 1000),
      jit_refused: Number(this.refused !== undefined),
    };
  }

  private exits(): JitFigures['exits'] {
    const words = new Uint32Array(this.memory.buffer, JIT_EXITS, INTERPRET >> 4);
    const names = new Map<number, string>(Object.entries(Reason).map(([name, number]) => [number, name]));
    const list: JitFigures['exits'] = [];
    words.forEach((count, number) => {
      if (count > 0) list.push({ reason: names.get(number) ?? OPERATIONS[number]?.name ?? `${number}`, count });
    });
    return list.sort((a, b) => b.count - a.count);
  }
}
