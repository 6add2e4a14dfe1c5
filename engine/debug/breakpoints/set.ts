/**
 * The breakpoints of a machine: one set for monitor, page and gdb. They are not part of the machine's state or its snapshots. Hits are handled
 * between two instructions, the same two in either tier.
 */
import { type Machine, MachineError, type WatchHit, type WatchStop } from '../../machine/index';
import { watchesOf } from './ranges';
import { breakpointOptions, stopText } from './text';
import type { Breakpoint, BreakpointOptions, Stop } from './types';

const sets = new WeakMap<Machine, BreakpointSet>();

/** The machine's own. */
export function breakpointsOf(machine: Machine): BreakpointSet {
  let set = sets.get(machine);
  if (!set) {
    set = new BreakpointSet(machine);
    sets.set(machine, set);
  }
  return set;
}

/** Breakpoints that a layout keeps, in the form that `breakpoint_add` reads: enabled, and set by people, not gdb. */
export function keptBreakpoints(machine: Machine): string[] {
  return breakpointsOf(machine)
    .list()
    .filter(({ owner, enabled }) => owner === 'lab' && enabled)
    .flatMap((breakpoint) => breakpointOptions(breakpoint) ?? []);
}

export class BreakpointSet {
  /** Why the machine stopped; undefined once it runs again. */
  stop: Stop | undefined;
  private readonly known = new Map<number, Breakpoint>();
  private readonly listeners = new Set<() => void>();
  /** By index in the list of watches. */
  private owners: Breakpoint[] = [];
  private next = 1;
  /** If set, no other breakpoint is armed. */
  private lone: Breakpoint | undefined;
  /** While a reverse search takes the hits, breakpoints here do not stop the machine. */
  private diverted: ((stop: WatchStop, met: Breakpoint[]) => string | undefined) | undefined;

  constructor(private readonly machine: Machine) {
    machine.debug.onHit = (stop) => this.met(stop);
    machine.subscribe((event) => {
      if (event.type === 'restored') this.arm();
      else if (event.type === 'commit' && event.event.type === 'commit') {
        for (const { next, old } of event.event.commit.changes) this.committed((next ?? old)!.slot);
        this.arm();
      } else if (event.type === 'state' && event.state === 'running') this.stop = undefined;
    });
  }

  list(): readonly Breakpoint[] {
    return [...this.known.values()];
  }

  get(id: number): Breakpoint | undefined {
    return this.known.get(id);
  }

  /** Throws MachineError if it cannot be set: no such slot, no access, or too many ranges. */
  add(options: BreakpointOptions): Breakpoint {
    const { place, access } = options;
    if (place.kind === 'slot' && !this.machine.memory.memslotById(place.slot, 0))
      throw new MachineError(`memslot ${place.slot} does not exist`);
    if (place.kind !== 'vector' && !access.execute && !access.read && !access.write) throw new MachineError('no access is given');
    const breakpoint: Breakpoint = { owner: 'lab', ...options, id: this.next, enabled: true, hits: 0, waits: options.afterCommit === true };
    this.known.set(breakpoint.id, breakpoint);
    try {
      this.arm();
    } catch (error) {
      this.known.delete(breakpoint.id);
      this.arm();
      throw error;
    }
    this.next += 1;
    this.changed();
    return breakpoint;
  }

  /** Returns false if there is no breakpoint with this id. */
  delete(id: number): boolean {
    if (!this.known.delete(id)) return false;
    this.arm();
    this.changed();
    return true;
  }

  /** Deletes the breakpoints of one owner. */
  clear(owner: Breakpoint['owner']): void {
    for (const each of this.list()) if (each.owner === owner) this.known.delete(each.id);
    this.arm();
    this.changed();
  }

  enable(id: number, enabled: boolean): boolean {
    const breakpoint = this.known.get(id);
    if (!breakpoint) return false;
    breakpoint.enabled = enabled;
    this.arm();
    this.changed();
    return true;
  }

  /** Called after every change of the set, and after each stop. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Until `undo`, hits and their breakpoints are passed to `met`, and counts do not change; a result of `met` stops the machine. */
  divert(met: (stop: WatchStop, breakpoints: Breakpoint[]) => string | undefined): () => void {
    this.diverted = met;
    return () => {
      this.diverted = undefined;
    };
  }

  /** For a search of the past: until `undo`, only this one is armed. It is not listed. */
  alone(options: BreakpointOptions): { breakpoint: Breakpoint; undo(): void } {
    const breakpoint: Breakpoint = { owner: 'lab', ...options, id: 0, enabled: true, hits: 0, waits: false };
    this.lone = breakpoint;
    this.arm();
    const undo = (): void => {
      this.lone = undefined;
      this.arm();
    };
    return { breakpoint, undo };
  }

  private arm(): void {
    const list = this.lone ? [this.lone] : this.list().filter(({ enabled }) => enabled);
    const watches = list.flatMap((breakpoint) => watchesOf(breakpoint, this.machine).map((watch) => ({ breakpoint, watch })));
    this.machine.debug.watch(watches.map(({ watch }) => watch));
    this.machine.debug.watchHoles = list.some(({ place }) => place.kind === 'hole');
    this.owners = watches.map(({ breakpoint }) => breakpoint);
  }

  private met(stop: WatchStop): string | undefined {
    const met = new Map<Breakpoint, WatchHit>();
    for (const hit of stop.hits)
      for (const breakpoint of this.hitBy(hit)) {
        if (breakpoint.vcpu !== undefined && breakpoint.vcpu !== stop.vcpu) continue;
        if (met.has(breakpoint) || !(breakpoint.condition?.holds(stop.vcpu, hit) ?? true)) continue;
        met.set(breakpoint, hit);
      }
    if (met.size === 0) return undefined;
    if (this.diverted) return this.diverted(stop, [...met.keys()]);
    const stops = [...met].filter(([breakpoint]) => {
      breakpoint.hits += 1;
      return breakpoint.hits > (breakpoint.skip ?? 0);
    });
    if (stops.length === 0) return undefined;
    this.stop = { vcpu: stop.vcpu, breakpoints: stops.map(([breakpoint]) => breakpoint), hit: stops[0]![1] };
    const gone = stops.filter(([{ once }]) => once);
    for (const [{ id }] of gone) this.known.delete(id);
    const waiting = stops.filter(([{ afterCommit }]) => afterCommit);
    for (const [breakpoint] of waiting) breakpoint.waits = true;
    // The core reads its table only between two runs.
    if (gone.length > 0 || waiting.length > 0) this.arm();
    this.changed();
    return stopText(this.stop);
  }

  private committed(slot: number): void {
    for (const breakpoint of this.known.values())
      if (breakpoint.afterCommit && breakpoint.place.kind === 'slot' && breakpoint.place.slot === slot) breakpoint.waits = false;
  }

  private hitBy(hit: WatchHit): Breakpoint[] {
    if (hit.watch >= 0) {
      const owner = this.owners[hit.watch];
      return owner?.enabled ? [owner] : [];
    }
    return this.list().filter(({ place, access, enabled }) => {
      if (!enabled || place.kind !== 'hole' || (hit.access === 'write' ? !access.write : !access.read)) return false;
      const { first, length = 1 } = place;
      return first === undefined || (hit.address < first + BigInt(length) && first < hit.address + BigInt(hit.bytes));
    });
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}
