/**
 * Guest time for devices. It is derived from retired instructions (see the vCPU record), so timers fire at exact instruction counts and a run can be
 * repeated. Nothing here reads a wall clock.
 */
import type { Timer, VirtualClock } from '../devices/bus';

/** The record that holds guest time: that of the running vCPU, or of vCPU 0 between slices. */
export interface TimeSource {
  /** ns of guest time */
  now(): number;
  /** Leave the slice no later than at this guest time (ns). Does nothing between slices. */
  endSliceBy(at: number): void;
}

class ClockTimer implements Timer {
  at: number | undefined;
  constructor(
    readonly name: string,
    readonly fire: () => void,
    private readonly changed: (timer: ClockTimer) => void,
  ) {}

  set(at: number | undefined): void {
    if (at !== undefined && !Number.isFinite(at)) throw new RangeError(`timer ${this.name}: ${at} is not a time`);
    this.at = at;
    this.changed(this);
  }
}

export class Clock implements VirtualClock {
  private readonly timers: ClockTimer[] = [];
  /** Earliest expiry, ns; undefined: no timer is set. A board has about ten timers: a scan beats a heap. */
  private earliest: number | undefined;

  constructor(private readonly source: TimeSource) {}

  now(): number {
    return this.source.now();
  }

  timer(name: string, fire: () => void): Timer {
    const timer = new ClockTimer(name, fire, (changed) => this.changed(changed));
    this.timers.push(timer);
    return timer;
  }

  /** ns of guest time of the next expiry, or undefined. */
  get next(): number | undefined {
    return this.earliest;
  }

  /** Fires timers that are due at `now`, in order of expiry, then of creation. A timer may rearm itself. */
  fireDue(now: number): void {
    while (this.earliest !== undefined && this.earliest <= now) {
      const due = this.timers.find((timer) => timer.at === this.earliest)!;
      due.at = undefined;
      this.findEarliest();
      due.fire();
    }
  }

  cancelAll(): void {
    for (const timer of this.timers) timer.at = undefined;
    this.earliest = undefined;
  }

  private changed(timer: ClockTimer): void {
    this.findEarliest();
    if (timer.at !== undefined && timer.at === this.earliest) this.source.endSliceBy(timer.at);
  }

  private findEarliest(): void {
    let earliest: number | undefined;
    for (const { at } of this.timers) {
      if (at !== undefined && (earliest === undefined || at < earliest)) earliest = at;
    }
    this.earliest = earliest;
  }
}
