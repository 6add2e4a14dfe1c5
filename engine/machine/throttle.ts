/** Keeps an idle guest from running ahead of the wall clock. A busy guest is never held back. */

/** A guest that is further behind than this skips the rest, ns: no burst of timer ticks after a suspended tab. */
const MOST_BEHIND = 250e6;

export class Throttle {
  private wall: number;
  private guest = 0;

  constructor(
    /** ms */
    private readonly wallClock: () => number,
  ) {
    this.wall = wallClock();
  }

  /** Guest time (ns) up to which an idle guest at `now` may sleep at this moment. */
  allowed(now: number): number {
    const wall = this.wallClock();
    const target = this.guest + (wall - this.wall) * 1e6;
    if (target >= now && target - now <= MOST_BEHIND) return target;
    this.wall = wall;
    this.guest = target < now ? now : now + MOST_BEHIND;
    return this.guest;
  }

  /** The machine was stopped: that time does not count. */
  restart(now: number): void {
    this.wall = this.wallClock();
    this.guest = now;
  }
}
