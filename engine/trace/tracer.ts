/** Records what happens under one machine. Nothing of it is state of the machine, and the guest runs the same with it. */
import { type LeaveReason, type Machine, MachineError, type TraceSink } from '../machine/index';
import type { CommitEvent, GfnRange } from '../memory/types';
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
const PUBLISH = eventNumber('memslot_publish');
const ZAP = eventNumber('memslot_zap');
const COMMIT = eventNumber('memslot_commit');

/** An exit of a vCPU that has not gone on since. */
interface Open {
  event: number;
  /** Its place in the ring; -1: not in it */
  seq: number;
  at: number;
}

const pagesOf = (ranges: readonly GfnRange[]): number => ranges.reduce((sum, { start, end }) => sum + end - start, 0);

export class Tracer {
  readonly stat = new KvmStat();
  /** Made with the first event that is switched on. */
  ring: TraceRing | undefined;
  private readonly enabled = EVENTS.map(() => false);
  private readonly open: (Open | undefined)[];
  /** What commits changed, by number in the ring. */
  private readonly titles = new Map<number, string>();

  constructor(private readonly machine: Machine) {
    this.open = Array.from({ length: machine.config.smp }, () => undefined);
    machine.subscribe((event) => {
      if (!this.on) return;
      if (event.type === 'commit') this.committed(event.event);
      else if (event.type === 'restored') this.clear();
    });
  }

  /** Is any event on? */
  get on(): boolean {
    return this.machine.trace.sink !== undefined;
  }

  states(): { name: EventName; on: boolean; help: string }[] {
    return EVENTS.map(({ name, help }, index) => ({ name, on: this.enabled[index]!, help }));
  }

  /** Events whose name the pattern matches (`*` stands for anything). MachineError when there is none. */
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
    this.ring?.clear();
    this.stat.clear();
    this.titles.clear();
    this.open.fill(undefined);
  }

  /** What a commit's event is about; undefined: it is of another kind. */
  titleOf(seq: number): string | undefined {
    return this.titles.get(seq);
  }

  private sink(): TraceSink {
    const { trace } = this.machine;
    const instant = (event: number, vcpu: number, a: number, b: number, size: number, duration: number): void => {
      this.stat.add(event, duration);
      if (this.enabled[event]) this.add(event, vcpu, trace.time(vcpu), trace.icount(vcpu), a, b, size);
    };
    return {
      port: (vcpu, write, port, bytes, value) => instant(write ? OUT : IN, vcpu, port, value, bytes, INSTRUCTION_NS),
      mmio: (vcpu, write, gpa, bytes, value) => instant(write ? WRITE : READ, vcpu, gpa, value, bytes, INSTRUCTION_NS),
      hole: (vcpu, write, gpa, bytes) => instant(HOLE, vcpu, gpa, write ? 1 : 0, bytes, INSTRUCTION_NS),
      fill: (vcpu, gfn) => instant(FILL, vcpu, gfn * PAGE, 0, 0, 0),
      dirty: (vcpu, gfn) => instant(DIRTY, vcpu, gfn * PAGE, 0, 0, 0),
      interrupt: (vcpu, vector) => instant(INTERRUPT, vcpu, vector, 0, 0, 0),
      exception: (vcpu, vector, error) => instant(EXCEPTION, vcpu, vector, error, 0, 0),
      leave: (vcpu, reason, at, gfn) => this.left(vcpu, reason, at, gfn),
      enter: (vcpu, at) => this.close(vcpu, at),
    };
  }

  private left(vcpu: number, reason: LeaveReason, at: number, gfn: number): void {
    this.close(vcpu, at);
    const event = LEFT[reason];
    const { trace } = this.machine;
    const seq = this.enabled[event] ? this.add(event, vcpu, at, trace.icount(vcpu), reason === 'retry' ? gfn * PAGE : 0, 0, 0) : -1;
    this.open[vcpu] = { event, seq, at };
  }

  private close(vcpu: number, at: number): void {
    const open = this.open[vcpu];
    if (!open) return;
    this.open[vcpu] = undefined;
    this.stat.add(open.event, at - open.at);
    if (open.seq >= 0) this.ring?.lasted(open.seq, at - open.at);
  }

  private committed(event: CommitEvent): void {
    if (event.type === 'publish') this.commit(PUBLISH, event.swap, event.generation, event.of);
    else if (event.type === 'zap') this.commit(ZAP, pagesOf(event.ranges), event.mode === 'all' ? 1 : 0, event.ranges.length);
    else if (event.type === 'protect') this.commit(PROTECT, pagesOf(event.ranges), 0, event.ranges.length);
    else {
      const { changes, generation, swaps } = event.commit;
      const title = changes
        .slice(0, 8)
        .map(({ kind, old, next }) => `${kind} ${(next ?? old)?.slot}`)
        .join(', ');
      const seq = this.commit(COMMIT, changes.length, generation, swaps);
      if (seq >= 0) this.titles.set(seq, changes.length > 8 ? `${title} and ${changes.length - 8} more` : title);
    }
  }

  private commit(event: number, a: number, b: number, size: number): number {
    const { run } = this.machine;
    return this.enabled[event] ? this.add(event, -1, run.guestTimeNs, run.instructions, a, b, size) : -1;
  }

  private add(event: number, vcpu: number, time: number, icount: number, a: number, b: number, size: number): number {
    const ring = this.ring!;
    const seq = ring.add(event, vcpu, time, icount, a, b, size, this.machine.memory.generation(0));
    // Titles go with the events that they are of: the oldest are first in the map.
    for (const old of this.titles.keys()) {
      if (old >= ring.first) break;
      this.titles.delete(old);
    }
    return seq;
  }
}
