/**
 * QEMU sends its monitor's size events at most once a second: the first at once, and at the end of the second the last one that arrived meanwhile.
 * This does the same by the guest's clock, so that every run sends the same events at the same instants.
 */
import type { Timer, VirtualClock } from '../bus';
import { count, nullable, type Schema } from '../state';

const SECOND = 1_000_000_000;

export interface GateState {
  /** End of the second; null: nothing was sent within the last one. */
  until: number | null;
  /** The event to send then. */
  waiting: number | null;
}

export const gateSchema: Schema<GateState> = { until: nullable(count), waiting: nullable(count) };

export class EventGate {
  private s: GateState = { until: null, waiting: null };
  private readonly timer: Timer;

  constructor(
    private readonly clock: VirtualClock,
    name: string,
    private readonly send: (value: number) => void,
  ) {
    this.timer = clock.timer(name, () => this.open());
  }

  offer(value: number): void {
    if (this.s.until !== null) {
      this.s.waiting = value;
      return;
    }
    this.s.until = this.clock.now() + SECOND;
    this.timer.set(this.s.until);
    this.send(value);
  }

  /** Sends the pending event now. */
  reset(): void {
    const { waiting } = this.s;
    this.load({ until: null, waiting: null });
    if (waiting !== null) this.send(waiting);
  }

  save(): GateState {
    return { ...this.s };
  }

  load(state: GateState): void {
    this.s = { ...state };
    this.timer.set(state.until ?? undefined);
  }

  private open(): void {
    const { waiting } = this.s;
    this.s = { until: null, waiting: null };
    if (waiting !== null) this.offer(waiting);
  }
}
