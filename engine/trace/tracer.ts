/** Records what happens below the guest of one machine. None of it is machine state, and the guest runs the same with it. */
import { type LeaveReason, type Machine, MachineError, type TraceSink } from '../machine/index';
import type { CommitEvent, EngineNote, GfnRange, Refusal } from '../memory/types';
import { CommitNotes } from './commit-notes';
import { EVENTS, type EventName, eventNumber, matches } from './events';
import { TraceRing } from './ring';
import { INSTRUCTION_NS, KvmStat } from './stat';

const all = new WeakMap<Machine, Tracer>();

/** The machine's own. */
export function tracerOf(machine: Machine): Tracer {
  let tracer = all.get(machine);
  if (!tracer) {
    tracer = new Tracer(machine);
    all.set(machine, tracer);
  }
  return tracer;
}

const LEFT: Readonly<Record<LeaveReason, number>> = {
  hlt: eventNumber('vcpu_hlt'),
  retry: eventNumber('vcpu_retry'),
  shutdown: eventNumber('vcpu_shutdown'),
  'internal-error': eventNumber('vcpu_internal_error'),
  watch: eventNumber('breakpoint'),
};
const PAGE = 4096;
const NO_SLOT = -1;
const HOLE = eventNumber('vcpu_hole');
const FILL = eventNumber('tlb_fill');
const EXCEPTION = eventNumber('exception');
const INTERRUPT = eventNumber('interrupt');
const IN = eventNumber('cpu_in');
const OUT = eventNumber('cpu_out');
const READ = eventNumber('memory_region_ops_read');
const WRITE = eventNumber('memory_region_ops_write');
const DIRTY = eventNumber('dirty_page');
const PROTECT = eventNumber('dirty_protect');
const RING_FULL = eventNumber('vcpu_dirty_ring_full');
const LOG_HARVEST = eventNumber('dirty_log_harvest');
const RING_HARVEST = eventNumber('dirty_ring_harvest');
const RING_RESET = eventNumber('dirty_ring_reset');
const VALIDATE = eventNumber('memslot_validate');
const PREPARE = eventNumber('memslot_prepare');
const REFUSED = eventNumber('memslot_refused');
const PUBLISH = eventNumber('memslot_publish');
const ZAP = eventNumber('memslot_zap');
const COMMIT = eventNumber('memslot_commit');

/** An exit of a vCPU that has not continued yet. */
interface Open {
  event: number;
  /** Its index in the ring; -1: not in it */
  seq: number;
  at: number;
}

const pagesOf = (ranges: readonly GfnRange[]): number => ranges.reduce((sum, { start, end }) => sum + end - start, 0);

export class Tracer {
  readonly stat = new KvmStat();
  /** Created with the first event that is enabled. */
  ring: TraceRing | undefined;
  private readonly enabled = EVENTS.map(() => false);
  private readonly open: (Open | undefined)[];
  private readonly notes = new CommitNotes();
  /** Instructions of all vCPUs at the last event */
  private instructions = 0;

  constructor(private readonly machine: Machine) {
    this.open = Array.from({ length: machine.config.smp }, () => undefined);
    machine.subscribe((event) => {
      if (!this.on) return;
      // While the machine replays its past, events are already recorded.
      if (event.type === 'commit') {
        if (!machine.checkpoints.muted) this.committed(event.event);
      } else if (event.type === 'restored') this.clear();
    });
  }

  /** Is any event on? */
  get on(): boolean {
    return this.machine.trace.sink !== undefined;
  }

  states(): { name: EventName; on: boolean; help: string }[] {
    return EVENTS.map(({ name, help }, index) => ({ name, on: this.enabled[index]!, help }));
  }

  /** Events whose name matches the pattern (`*` stands for any characters). MachineError if there is none. */
  set(pattern: string, on: boolean): void {
    const found = EVENTS.flatMap(({ name }, index) => (matches(pattern, name) ? [index] : []));
    if (found.length === 0) throw new MachineError(`unknown event "${pattern}"`);
    const before = this.on;
    for (const index of found) this.enabled[index] = on;
    const after = this.enabled.includes(true);
    if (after && !before) {
      this.ring ??= new TraceRing();
      this.machine.trace.sink = this.sink();
    } else if (!after && before) {
      this.machine.trace.sink = undefined;
      this.open.fill(undefined);
    }
  }

  clear(): void {
    this.instructions = 0;
    this.ring?.clear();
    this.stat.clear();
    this.notes.clear();
    this.open.fill(undefined);
  }

  /** What an event of a commit concerns; undefined: its numbers say it all. */
  titleOf(seq: number): string | undefined {
    return this.notes.textOf(seq);
  }

  /** The memslots that an event of a commit, or a harvest, concerns. */
  slotsOf(seq: number): Int16Array | undefined {
    return this.notes.slotsOf(seq);
  }

  private sink(): TraceSink {
    const { trace, memory } = this.machine;
    const instant = (event: number, vcpu: number, a: number, b: number, size: number, duration: number, slot: number): void => {
      this.stat.add(event, duration);
      if (!this.enabled[event]) return;
      this.add(event, vcpu, trace.time(vcpu), trace.icount(vcpu), a, b, size, slot);
      this.locate(vcpu, event !== INTERRUPT && event !== EXCEPTION);
    };
    const page = (event: number, vcpu: number, gfn: number, asId: number): void =>
      instant(event, vcpu, gfn * PAGE, 0, 0, 0, asId === 0 ? memory.slotIdAt(gfn) : NO_SLOT);
    return {
      port: (vcpu, write, port, bytes, value) => instant(write ? OUT : IN, vcpu, port, value, bytes, INSTRUCTION_NS, NO_SLOT),
      mmio: (vcpu, write, gpa, bytes, value) => instant(write ? WRITE : READ, vcpu, gpa, value, bytes, INSTRUCTION_NS, NO_SLOT),
      hole: (vcpu, write, gpa, bytes) =>
        instant(HOLE, vcpu, gpa, write ? 1 : 0, bytes, INSTRUCTION_NS, this.notes.lastAt(Math.floor(gpa / PAGE))),
      fill: (vcpu, gfn, asId) => page(FILL, vcpu, gfn, asId),
      dirty: (vcpu, gfn, asId) => page(DIRTY, vcpu, gfn, asId),
      interrupt: (vcpu, vector) => instant(INTERRUPT, vcpu, vector, 0, 0, 0, NO_SLOT),
      exception: (vcpu, vector, error) => instant(EXCEPTION, vcpu, vector, error, 0, 0, NO_SLOT),
      leave: (vcpu, reason, at, gfn) => this.left(vcpu, LEFT[reason], at, reason === 'retry' ? gfn : -1),
      full: (vcpu, at) => this.left(vcpu, RING_FULL, at, -1),
      enter: (vcpu, at) => this.close(vcpu, at),
      note: (note) => this.noted(note),
    };
  }

  /** Records the code of the event that was added last. */
  private locate(vcpu: number, access: boolean): void {
    const { trace } = this.machine;
    trace.locate(vcpu, access);
    this.ring!.codeAt(trace.codeLow, trace.codeHigh);
  }

  /** `gfn`: for a retry, otherwise -1. */
  private left(vcpu: number, event: number, at: number, gfn: number): void {
    this.close(vcpu, at);
    const { trace, memory } = this.machine;
    const [a, slot] = gfn < 0 ? [0, NO_SLOT] : [gfn * PAGE, memory.slotIdAt(gfn)];
    const seq = this.enabled[event] ? this.add(event, vcpu, at, trace.icount(vcpu), a, 0, 0, slot) : -1;
    if (seq >= 0) this.locate(vcpu, false);
    this.open[vcpu] = { event, seq, at };
  }

  private close(vcpu: number, at: number): void {
    const open = this.open[vcpu];
    if (!open) return;
    this.open[vcpu] = undefined;
    this.stat.add(open.event, at - open.at);
    if (open.seq >= 0) this.ring?.lasted(open.seq, at - open.at);
  }

  private noted(note: EngineNote): void {
    const { notes } = this;
    if (note.type === 'phase') {
      notes.begins(this.machine, note);
      const { phase, slots } = note;
      if (phase === 'validate' || phase === 'prepare')
        this.commit(phase === 'validate' ? VALIDATE : PREPARE, slots.length, 0, 0, namesOf(slots));
    } else if (note.type === 'refused') this.commit(REFUSED, note.refusals.length, 0, 0, refusedText(note.phase, note.refusals));
    else if (note.type === 'ring-reset') this.commit(RING_RESET, note.pages, 0, 0, undefined, []);
    else this.commit(note.from === 'log' ? LOG_HARVEST : RING_HARVEST, note.pages, 0, 0, undefined, note.slots);
    if (note.type === 'refused') notes.ended();
  }

  private committed(event: CommitEvent): void {
    if (event.type === 'publish') this.commit(PUBLISH, event.swap, event.generation, event.of);
    else if (event.type === 'zap') this.commit(ZAP, pagesOf(event.ranges), event.mode === 'all' ? 1 : 0, event.ranges.length);
    else if (event.type === 'protect')
      this.commit(PROTECT, pagesOf(event.ranges), 0, event.ranges.length, undefined, this.slotsIn(event.ranges));
    else {
      const { changes, generation, swaps } = event.commit;
      const titles = changes.slice(0, 8).map(({ kind, old, next }) => `${kind} ${(next ?? old)?.slot}`);
      const more = changes.length > 8 ? ` and ${changes.length - 8} more` : '';
      this.commit(COMMIT, changes.length, generation, swaps, `${titles.join(', ')}${more}`);
      this.notes.ended();
    }
  }

  private slotsIn(ranges: readonly GfnRange[]): number[] {
    const { memory } = this.machine;
    return [...new Set(ranges.slice(0, 64).flatMap(({ asId, start }) => (asId === 0 ? [memory.slotIdAt(start)] : [])))];
  }

  /** `slots`: absent: those of the commit that is under way. */
  private commit(event: number, a: number, b: number, size: number, text?: string, slots?: readonly number[]): void {
    if (!this.enabled[event]) return;
    const { run } = this.machine;
    const seq = this.add(event, -1, run.guestTimeNs, run.instructions, a, b, size, NO_SLOT);
    this.notes.keep(seq, text, slots);
  }

  /** The machine takes a new course from a moment of its past: drops the events after it. */
  private wentBack(instructions: number): void {
    const { ring, machine } = this;
    if (!ring) return;
    let seq = ring.total;
    for (; seq > ring.first; seq--) {
      const { vcpu, icount } = ring.get(seq - 1);
      if (vcpu < 0 ? icount <= instructions : icount <= machine.trace.icount(vcpu)) break;
    }
    ring.cut(seq);
    this.notes.cut(seq);
    this.open.fill(undefined);
  }

  private add(event: number, vcpu: number, time: number, icount: number, a: number, b: number, size: number, slot: number): number {
    const ring = this.ring!;
    const { instructions } = this.machine.run;
    if (instructions < this.instructions) this.wentBack(instructions);
    this.instructions = instructions;
    const seq = ring.add(event, vcpu, time, icount, a, b, size, this.machine.memory.generation(0), slot);
    this.notes.forget(ring.first);
    return seq;
  }
}

const namesOf = (slots: readonly number[]): string =>
  `memslot${slots.length === 1 ? '' : 's'} ${slots.slice(0, 8).join(', ')}${slots.length > 8 ? ` and ${slots.length - 8} more` : ''}`;

function refusedText(phase: string, refusals: readonly Refusal[]): string {
  const [first] = refusals;
  const more = refusals.length > 1 ? `, and ${refusals.length - 1} more` : '';
  return first ? `in ${phase}: ${first.errno}, ${first.reason.slice(0, 200)}${more}` : `in ${phase}`;
}
