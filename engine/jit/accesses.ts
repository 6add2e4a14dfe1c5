/**
 * Which memory an instruction accesses, and which accesses of a block are tested together: those at constant distances from each other. Distances are
 * tracked through additions, LEA, moves, pushes and pops. The first access of a group tests for all, so the later ones cannot fail.
 */
import { VCPU_GPR } from '../abi/vcpu';
import type { Access, Group, Operand } from './access';
import { isShortDivision } from './division-forms';
import { type Instruction, isShort, type Row, VREG_EA, VREG_PAGE } from './records';
import { fieldsOf, isVector, vectorFormOf } from './vector-forms';
import { isShortX87, x87Operand } from './x87-forms';

/** Most bytes that one test may span. */
const SPAN = 1024;
/** Constant addresses in different pages get separate windows: neighbours may be far apart in host memory. */
const PAGE = 0x1000;
/** Distances that are tracked. */
const NEAR = 0x7fff0000;
/** Groups that can be open at once: each has a local. */
export const GROUPS = 12;

const RSP = 4;
const RBP = 5;

const record = (indexed: boolean, bytes: number, writes: boolean): Operand => ({ place: 'record', indexed, bytes, writes });
const PUSH: Operand = { place: 'push', indexed: false, bytes: 8, writes: true };
const POP: Operand = { place: 'pop', indexed: false, bytes: 8, writes: false };
const FRAME: Operand = { place: 'frame', indexed: false, bytes: 8, writes: false };

const STORES = new Set(['wholeStore', 'lowStore', 'toGeneral']);

const NONE: readonly Operand[] = [];

/** The operands of operations whose row determines them, by number. */
const known: (readonly Operand[] | undefined)[] = [];

/** The accesses of an instruction of compiled code, in order. */
function operandsOf(at: Instruction): readonly Operand[] {
  const { row, number } = at;
  if (row.family === 'out-of-line') return ownOperands(at);
  known[number] ??= rowOperands(row);
  return known[number];
}

/** Of vector and x87 instructions, whose records have the forms. */
function ownOperands(at: Instruction): readonly Operand[] {
  if (isVector(at)) {
    const fields = fieldsOf(at);
    return fields.memory ? [record(true, fields.bytes, STORES.has(vectorFormOf(fields)!))] : NONE;
  }
  if (!isShortX87(at)) return NONE;
  const operand = x87Operand(at);
  return operand === undefined ? NONE : [record(true, operand.bytes, operand.writes)];
}

function rowOperands({ family, action, form, size, from, memory }: Row): readonly Operand[] {
  const bytes = 1 << size;
  switch (family) {
    case 'alu':
    case 'test':
      if (!memory) return NONE;
      return [record(form !== 'rm', bytes, form.startsWith('m') && action !== 'cmp' && action !== 'test')];
    case 'unary':
      return form === 'm' ? [record(true, bytes, true)] : NONE;
    case 'move':
      if (form === 'rm' || form === 'rx') return [record(form === 'rx', bytes, false)];
      return form === 'mr' || form === 'xr' || form === 'mi' ? [record(form !== 'mr', bytes, true)] : NONE;
    case 'extend':
      return form === 'r' ? NONE : [record(form === 'x', 1 << from, false)];
    case 'multiply':
    case 'condition':
      return form === 'rm' || form === 'rmi' ? [record(true, bytes, false)] : NONE;
    case 'stack':
      return [action === 'push' ? PUSH : action === 'pop' ? POP : FRAME];
    case 'branch': {
      if (action === 'ret') return [POP];
      const loads = form === 'm' ? [record(true, 8, false)] : [];
      return action === 'call' ? [...loads, PUSH] : loads;
    }
    default:
      return NONE;
  }
}

/** Without a spread, which engines run slowly in code that is still cold. */
const accessOf = ({ place, indexed, bytes, writes }: Operand, group: Group | undefined, distance: number, first: boolean): Access => ({
  place,
  indexed,
  bytes,
  writes,
  group,
  distance,
  first,
});

/** An unknown, by number, plus a constant. */
interface Value {
  readonly root: number;
  readonly plus: number;
}

/** Roots with a known meaning: zero, and the region's first page. */
const NOTHING = 0;
const FIRST_PAGE = 1;
const ZERO: Value = { root: NOTHING, plus: 0 };
/** At the start of a block every register is an unknown. */
const AT_START: readonly Value[] = Array.from({ length: 16 }, (_, register) => ({ root: FIRST_PAGE + 1 + register, plus: 0 }));

class Planner {
  private readonly values = AT_START.slice();
  private effective = ZERO;
  private roots = FIRST_PAGE + AT_START.length;
  /** Roots that are sums of other roots. */
  private readonly sums = new Map<string, number>();
  private readonly open = new Map<number, Group>();
  private local = 0;

  /** `solo`: windows that are no longer used. */
  constructor(
    private readonly pageDelta: number,
    private readonly solo: ReadonlySet<string>,
  ) {}

  private unknown(): Value {
    return { root: ++this.roots, plus: 0 };
  }
  private forget(register: number): void {
    this.values[register] = this.unknown();
  }
  private sum(name: string): number {
    const known = this.sums.get(name) ?? ++this.roots;
    this.sums.set(name, known);
    return known;
  }
  private register(offset: number): number {
    return (offset - VCPU_GPR) >> 3;
  }
  private isWhole(offset: number): boolean {
    return offset < VCPU_GPR + 128 && (offset & 7) === 0;
  }

  /** base + index + displacement; a new unknown if that is not tracked. */
  private addressOf(at: Instruction, indexed: boolean): Value {
    let root = NOTHING;
    let plus = at.displacement;
    if (this.isWhole(at.base)) {
      const base = this.values[this.register(at.base)]!;
      root = base.root;
      plus += base.plus;
    } else if (at.base === VREG_EA) {
      root = this.effective.root;
      plus += this.effective.plus;
    } else if (at.base === VREG_PAGE) {
      root = FIRST_PAGE;
      plus += this.pageDelta;
    }
    if (indexed && this.isWhole(at.index)) {
      const index = this.values[this.register(at.index)]!;
      root = this.sum(`${root}+${index.root}<${at.scale}`);
      plus += index.plus * 2 ** at.scale;
    }
    return Math.abs(plus) < NEAR ? { root, plus } : this.unknown();
  }

  private valueAt(at: Instruction, operand: Operand): Value {
    const { root, plus } = this.values[RSP]!;
    switch (operand.place) {
      case 'record':
        return this.addressOf(at, operand.indexed);
      case 'push':
        return { root, plus: plus - 8 };
      case 'pop':
        return { root, plus };
      case 'frame':
        return this.values[RBP]!;
    }
  }

  /** The window of an access, named by its registers so that other blocks share it. */
  private windowOf(at: Instruction, { place, indexed, writes }: Operand, value: Value): string {
    const kind = writes ? 'w' : 'r';
    if (place !== 'record') return `${kind} ${place === 'frame' ? RBP : RSP}`;
    const index = indexed && this.isWhole(at.index) ? `+${this.register(at.index)}` : '';
    if (this.isWhole(at.base)) return `${kind} ${this.register(at.base)}${index} ${Math.round(at.displacement / PAGE)}`;
    if (at.base === VREG_EA) return `${kind} ea${at.extra}${index} ${Math.round(value.plus / PAGE)}`;
    return `${kind} ${at.base === VREG_PAGE ? 'page' : 'at'}${index} ${Math.floor(value.plus / PAGE)}`;
  }

  private access(at: Instruction, operand: Operand): Access {
    const value = this.valueAt(at, operand);
    const low = value.plus;
    const high = low + operand.bytes;
    const joined = this.open.get(value.root);
    if (joined !== undefined && Math.max(joined.high, high) - Math.min(joined.low, low) <= SPAN) {
      const window = operand.writes && !joined.writes ? `w${joined.window.slice(1)}` : joined.window;
      if (!this.solo.has(window)) {
        joined.low = Math.min(joined.low, low);
        joined.high = Math.max(joined.high, high);
        joined.writes ||= operand.writes;
        joined.window = window;
        return accessOf(operand, joined, low, false);
      }
    }
    const window = this.windowOf(at, operand, value);
    if (this.solo.has(window)) {
      // A miss may replace a TLB entry, so earlier tests must be repeated.
      this.open.clear();
      return accessOf(operand, undefined, 0, true);
    }
    const group: Group = { window, low, high, writes: operand.writes, local: this.local++ % GROUPS, tested: 0 };
    for (const [root, other] of this.open) if (other.local === group.local) this.open.delete(root);
    this.open.set(value.root, group);
    return accessOf(operand, group, low, true);
  }

  private move(register: number, by: number): void {
    const { root, plus } = this.values[register]!;
    this.values[register] = Math.abs(plus + by) < NEAR ? { root, plus: plus + by } : this.unknown();
  }

  /** Tracks the registers across the instruction; `changed`: registers as bits. */
  private follow(at: Instruction, changed: number): void {
    const { family, action, form, size } = at.row;
    const whole = size === 3 && this.isWhole(at.destination);
    const target = this.register(at.destination);
    if (family === 'test' || (family === 'alu' && action === 'cmp')) return;
    if (family === 'alu' && form === 'ri' && whole && (action === 'add' || action === 'sub')) {
      const by = isShort(at) ? at.low : Number.POSITIVE_INFINITY;
      this.move(target, action === 'add' ? by : -by);
      return;
    }
    if (family === 'unary' && form === 'r' && whole && (action === 'inc' || action === 'dec')) {
      this.move(target, action === 'inc' ? 1 : -1);
      return;
    }
    if (family === 'move' && form === 'rr' && whole && this.isWhole(at.source)) {
      this.values[target] = this.values[this.register(at.source)]!;
      return;
    }
    if (family === 'address') {
      if (action === 'lea') this.values[target] = whole ? this.addressOf(at, form === 'x') : this.unknown();
      else {
        const value = at.row.name === 'ea64' ? this.addressOf(at, true) : this.unknown();
        this.effective = { root: this.sum(`${value.root}@${at.extra}`), plus: value.plus };
      }
      return;
    }
    if (family === 'stack' || family === 'branch') {
      if (action === 'push' || action === 'call') this.move(RSP, -8);
      else if (action === 'pop') {
        this.move(RSP, 8);
        this.forget(target);
      } else if (action === 'leave') {
        this.forget(RSP);
        this.forget(RBP);
      }
      return;
    }
    for (let register = 0; register < 16; register++) if ((changed >> register) & 1) this.forget(register);
  }

  /** `changes`: registers that an instruction may change, as bits. */
  run(instructions: readonly Instruction[], changes: (at: Instruction) => number): void {
    for (const at of instructions) {
      if (at.row.family === 'out-of-line' && !isVector(at) && !isShortX87(at) && !isShortDivision(at)) {
        // A handler of the core may change anything.
        for (let register = 0; register < 16; register++) this.forget(register);
        this.open.clear();
        continue;
      }
      const operands = operandsOf(at);
      if (operands.length > 0) at.accesses = operands.map((operand) => this.access(at, operand));
      this.follow(at, changes(at));
    }
  }
}

/** Plans the accesses of one block, and notes them in its instructions. */
export function planAccesses(
  instructions: readonly Instruction[],
  pageDelta: number,
  solo: ReadonlySet<string>,
  changes: (at: Instruction) => number,
): void {
  new Planner(pageDelta, solo).run(instructions, changes);
}

/** Can an access make the region exit before this instruction? */
export const mayMiss = ({ accesses }: Instruction): boolean => accesses.some(({ first }) => first);
