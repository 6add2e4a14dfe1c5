/** Writes a region: the nodes of its graph in structured control flow, with flags tracked across them and computed jumps through a table. */
import { mayMiss, planAccesses } from './accesses';
import { divide } from './arithmetic';
import { isShortDivision } from './division-forms';
import { Emitter } from './emitter';
import { followFlags, wordsOf } from './flag-flow';
import { effectOf, type Flags, IN_RECORD, mayLeave, readsFlags } from './flag-kinds';
import { type Graph, type Node, returnsOf } from './graph';
import { fillJumps, type JumpTable, planJumps, type Table } from './jump-table';
import { CALLEES, ENTRY, LOCALS, PAGE, REGION_TYPE, Reason, RIP, X87_LOCALS } from './locals';
import { moduleOf } from './module';
import { OPERATION_WRITERS } from './operations';
import type { Instruction } from './records';
import { changedBy, usedBy } from './registers';
import { canonical, canonicalReturn, popReturn, push } from './stack';
import { Structure } from './structure';
import { isVector, vectorRegisters } from './vector-forms';
import { vector } from './vectors';
import { x87 } from './x87';
import { isShortX87, planX87 } from './x87-forms';

/** What a region needs of the core's memory while it is written. */
export interface Room {
  /** Allocates the table of computed jumps: address of 8 * 2 ** bits bytes, or 0 if there is no room. */
  allocate(bits: number): number;
  /** Number of a window's cell, or -1 if none is left. */
  window(): number;
  /** Gives back a table and windows' cells. */
  release(table: Table, windows: Iterable<number>): void;
  /** Makes the block an entry. Returns the address of its twin, whose records do not change; 0: another region has it as an entry. */
  prepare(block: number): number;
}

export interface Region {
  code: Uint8Array<ArrayBuffer>;
  /** The hot node comes first. */
  nodes: readonly Node[];
  /** By entry number. */
  entries: Node[];
  /** Tables in the core's memory: of computed jumps, and of exits. */
  table: Table;
  exits: Table;
  /** Cells of its windows. */
  windows: ReadonlyMap<string, number>;
  /** Writes `code` and `exits` again without the windows of these names. Returns false, with nothing changed, if there is no room. */
  again(view: DataView, solo: ReadonlySet<string>): boolean;
  instructions: number;
  /** Bytes of the guest's code. */
  guestBytes: number;
}

/** Windows of one region at most. */
const WINDOWS = 200;

/** The writer of an instruction in the middle of a block; undefined: the interpreter runs it inline, and it has no writer here. */
function writerOf(at: Instruction): ((e: Emitter, at: Instruction) => void) | undefined {
  const writer = OPERATION_WRITERS[at.row.family];
  if (writer !== undefined) return writer;
  if (isVector(at)) return vector;
  if (isShortDivision(at)) return divide;
  if (isShortX87(at)) return x87;
  return at.row.family === 'out-of-line' ? (e) => e.callCold(at) : undefined;
}

/** Does the region always exit before this instruction of the node? */
const isLeftBefore = (at: Instruction, node: Node): boolean =>
  at === node.last ? at.row.family !== 'branch' && at.row.family !== 'out-of-line' : writerOf(at) === undefined;

class RegionWriter {
  private e = new Emitter();
  private readonly windows = new Map<string, number>();
  private readonly nodes: Node[];
  private readonly numberOf = new Map<number, number>();
  /** Targets of each return, if its function is called in the region. */
  private readonly returns: ReadonlyMap<Node, readonly number[]>;
  private structure!: Structure;
  /** Successors of each node, by numbers. */
  private readonly successors: readonly number[][];
  private flagsAt: Flags[] = [];
  private table!: JumpTable;

  constructor(
    private readonly graph: Graph,
    private readonly room: Room,
  ) {
    this.nodes = [...graph.nodes.values()];
    for (const [index, node] of this.nodes.entries()) this.numberOf.set(node.delta, index + 1);
    this.returns = returnsOf(graph);
    this.successors = this.nodes.map((node) => this.inside(this.targets(node)));
  }

  /** Deltas at which the region may go on after the node. */
  private targets(node: Node): readonly (number | undefined)[] {
    const { family, action, far } = node.last.row;
    if (family === 'out-of-line') return far ? [] : [node.next];
    if (family !== 'branch') return [];
    if (action === 'call') return [node.target ?? node.seen];
    if (action === 'ret') return this.returns.get(node) ?? [];
    return [node.target, node.next];
  }

  /** Numbers of the nodes at these deltas. */
  private inside(deltas: Iterable<number | undefined>): number[] {
    const numbers: number[] = [];
    for (const delta of deltas) {
      const number = delta === undefined ? undefined : this.numberOf.get(delta);
      if (number !== undefined) numbers.push(number);
    }
    return numbers;
  }

  /** Loop heads become entries too: otherwise a region could take over a loop only after the interpreter has left it. */
  private structured(): Structure {
    const { entries } = this.graph;
    const structure = (): Structure => new Structure({ successors: [this.inside(entries), ...this.successors] });
    const first = structure();
    const before = entries.size;
    for (const [index, node] of this.nodes.entries()) if (first.isLoopHead(index + 1)) entries.add(node.delta);
    return entries.size > before ? structure() : first;
  }

  write(view: DataView): Region | undefined {
    this.structure = this.structured();
    const order = this.structure.entries.map((number) => this.nodes[number - 1]!);
    const table = planJumps(
      order.map(({ delta }) => delta),
      (bits) => this.room.allocate(bits),
    );
    if (table === undefined) return undefined;
    this.table = table;
    for (const { block, records } of order) {
      const twin = this.room.prepare(block);
      if (twin === 0 || records.first !== block) continue;
      for (const at of records.instructions) at.at += twin - block;
    }
    this.planAll(new Set());
    this.flagsAt = followFlags(this.nodes, this.structure.entries, this.successors);
    const written = this.emit(view);
    if (written === undefined) {
      this.room.release(table, this.windows.values());
      return undefined;
    }
    fillJumps(
      view,
      table,
      order.map(({ delta, page }) => ({ distance: delta, page })),
    );
    const region: Region = {
      ...written,
      nodes: this.nodes,
      entries: order,
      table: { address: table.address, bits: table.bits },
      windows: this.windows,
      again: (now, solo) => {
        this.planAll(solo);
        const anew = this.emit(now);
        if (anew !== undefined) Object.assign(region, anew);
        return anew !== undefined;
      },
      instructions: this.nodes.reduce((sum, { records }) => sum + records.count, 0),
      guestBytes: this.nodes.reduce((sum, { records }) => sum + records.length, 0),
    };
    return region;
  }

  /** Plans the accesses of all blocks; every window still in use gets a cell. */
  private planAll(solo: ReadonlySet<string>): void {
    const without = new Set(solo);
    this.planBlocks(without);
    for (const { records } of this.nodes)
      for (const { accesses } of records.instructions)
        for (const { group } of accesses) {
          if (group === undefined || this.windows.has(group.window) || without.has(group.window)) continue;
          const cell = this.windows.size < WINDOWS ? this.room.window() : -1;
          if (cell < 0) without.add(group.window);
          else this.windows.set(group.window, cell);
        }
    if (without.size > solo.size) this.planBlocks(without);
  }

  private planBlocks(solo: ReadonlySet<string>): void {
    for (const { records, page } of this.nodes) planAccesses(records.instructions, this.graph.pages[page]!.delta, solo, changedBy);
  }

  /** undefined if there is no room for the table of exits. */
  private emit(view: DataView): Pick<Region, 'code' | 'exits'> | undefined {
    this.e = new Emitter();
    const { e } = this;
    const exits: Table = { address: 0, bits: 0 };
    e.exits.allocate = (rows) => {
      exits.bits = Math.max(2, Math.ceil(Math.log2(rows)));
      exits.address = this.room.allocate(exits.bits);
      return exits.address;
    };
    e.cells = this.windows;
    for (const { records } of this.nodes)
      for (const at of records.instructions) {
        e.used |= usedBy(at);
        e.dirty |= changedBy(at);
        e.rotates ||= at.row.action === 'rol' || at.row.action === 'ror';
        e.x87 ||= isShortX87(at);
        if (isVector(at)) e.vectors |= vectorRegisters(at).xmm;
      }
    e.region(() => this.structure.write(e.code, ENTRY, (number, to) => this.node(number, to)));
    return e.exits.fill(view)
      ? { code: moduleOf(CALLEES, REGION_TYPE, e.x87 ? [...LOCALS, ...X87_LOCALS] : LOCALS, e.code), exits }
      : undefined;
  }

  /** For each instruction: are the flags behind it overwritten before anything can read them? */
  private dead(instructions: readonly Instruction[]): boolean[] {
    const dead: boolean[] = [];
    let before = false;
    for (let index = instructions.length - 1; index >= 0; index--) {
      const at = instructions[index]!;
      dead[index] = before;
      const effect = effectOf(at);
      if (effect === 'some' || mayLeave(at, mayMiss(at)) || readsFlags(at)) before = false;
      else if (effect !== 'none') before = true;
    }
    return dead;
  }

  private node(number: number, to: (target: number) => void): void {
    const { e } = this;
    const node = this.nodes[number - 1]!;
    const page = this.graph.pages[node.page]!;
    const { instructions, count } = node.records;
    e.pageDelta = page.delta;
    e.flags = this.flagsAt[number];
    e.beginBlock();
    e.claim(node.delta, count);
    const runs = e.x87 ? planX87(instructions) : undefined;
    const dead = this.dead(instructions);
    for (let index = 0; index < instructions.length; index++) {
      const at = instructions[index]!;
      e.flagsDead = dead[index]!;
      if (at === node.last) break;
      const writer = writerOf(at);
      const run = runs?.get(at);
      if (run?.first === at) e.beginX87(at, run);
      if (writer !== undefined) writer(e, at);
      else e.exitBefore(at, at.number);
      if (run?.last === at) e.endX87();
    }
    this.end(node, to);
  }

  /** Goes to a delta, inside or outside the region. */
  private go(node: Node, delta: number, to: (target: number) => void): void {
    const number = this.numberOf.get(delta);
    if (number === undefined) {
      this.e.exit(delta, 0, Reason.jump);
      return;
    }
    this.checkFlags(number);
    const target = this.nodes[number - 1]!;
    if (target.page !== node.page) {
      const { delta: start, host } = this.graph.pages[target.page]!;
      this.e.verify(1 << target.page, start, host, delta);
    }
    to(number);
  }

  /** Brings the flags into the form that the target's code assumes; they may be in the record too. */
  private checkFlags(target: number): void {
    const expected = this.flagsAt[target];
    const { flags } = this.e;
    if (expected !== undefined && flags !== IN_RECORD && wordsOf(flags) !== wordsOf(expected))
      throw new Error(`flags ${wordsOf(flags)} reach a block that takes them for ${wordsOf(expected)}`);
  }

  /** Goes to the address in RIP; `likely` targets are compared first. `otherwise`: code before an exit. */
  private computed(node: Node, to: (target: number) => void, likely: readonly number[], otherwise: () => void = () => {}): void {
    const { e } = this;
    const { flags } = e;
    for (const delta of likely) {
      if (!this.numberOf.has(delta)) continue;
      e.ripIs(delta);
      e.code.if();
      this.go(node, delta, to);
      e.code.end();
      e.pageDelta = this.graph.pages[node.page]!.delta;
      e.flags = flags;
    }
    e.computedJump(this.table, () => this.structure.dispatch(e.code), otherwise);
  }

  private returnAddress(at: Instruction): () => void {
    return () => {
      const { code } = this.e;
      code.get(PAGE);
      code.i64Const(this.e.pageDelta + at.offset + at.length);
      code.i64Add();
    };
  }

  private end(node: Node, to: (target: number) => void): void {
    const { e } = this;
    const { code } = e;
    const at = node.last;
    const { family, action, form } = at.row;
    if (at.row.far) {
      e.exitFar(at);
      return;
    }
    if (family === 'out-of-line') {
      const next = this.numberOf.get(node.next ?? Number.NaN);
      const page = next === undefined ? undefined : this.graph.pages[this.nodes[next - 1]!.page]!;
      e.runEnd(at, node.next ?? 0, page === undefined ? 0 : 1 << this.nodes[next! - 1]!.page, page?.host ?? 0);
      if (next !== undefined) this.go(node, node.next!, to);
      return;
    }
    if (isLeftBefore(at, node)) {
      e.exitBefore(at, at.number);
      return;
    }
    if (action === 'jcc') {
      e.condition(at.row.condition);
      const flags = e.flags;
      code.if();
      this.go(node, node.target!, to);
      code.else();
      e.pageDelta = this.graph.pages[node.page]!.delta;
      e.flags = flags;
      this.go(node, node.next!, to);
      code.end();
      return;
    }
    if (form === 'near' && action !== 'call') {
      this.go(node, action === 'fall' ? node.next! : node.target!, to);
      return;
    }
    if (action === 'call' && form === 'near') {
      push(e, at, this.returnAddress(at));
      this.go(node, node.target!, to);
      return;
    }
    if (action === 'ret') {
      popReturn(e, at);
      this.computed(node, to, this.returns.get(node) ?? [], () => canonicalReturn(e, at));
      return;
    }
    if (form === 'r') e.readRegister(at.source, 3);
    else e.load(at, 3);
    code.set(RIP);
    if (action !== 'call') {
      this.computed(node, to, [], () => canonical(e, at));
      return;
    }
    canonical(e, at);
    push(e, at, this.returnAddress(at), form === 'r' ? 0 : 1);
    this.computed(node, to, node.seen === undefined ? [] : [node.seen]);
  }
}

/** Compiles the graph; undefined: there is no room for its tables. All that it took is free again then, except prepared entries. */
export function writeRegion(graph: Graph, room: Room, view: DataView): Region | undefined {
  return new RegionWriter(graph, room).write(view);
}
