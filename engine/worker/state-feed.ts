/** LabStates for the page: at once after commits, otherwise at most ten a second, and before the answer to a command that changed it. */
interface Clock {
  /** ms */
  monotonic(): number;
  setTimer(wake: () => void, ms: number): unknown;
}

/** ms between two states without a commit, and the least between any two. */
const STATE_MS = 100;
const LEAST_MS = 16;
/** With very many slots, states take at most this fraction of the worker's time. */
const SHARE = 8;

export class StateFeed {
  private later = false;
  private now = false;
  private at = Number.NEGATIVE_INFINITY;
  /** ms that the last one took */
  private cost = 0;

  constructor(
    private readonly clock: Clock,
    private readonly post: () => void,
  ) {}

  touch(now: boolean): void {
    if (!now) this.sendIn(Math.max(0, this.at + Math.max(STATE_MS, SHARE * this.cost) - this.clock.monotonic()));
    if (!now || this.now) return;
    this.now = true;
    // After the current work is done: one state for a commit and everything that follows from it.
    queueMicrotask(() => {
      this.now = false;
      if (this.clock.monotonic() - this.at >= LEAST_MS) this.send();
      else this.sendIn(LEAST_MS);
    });
  }

  /** The effect of a command arrives before its answer. A large state is sent at the usual pace instead. */
  sendDue(isSmall: () => boolean): void {
    if ((this.later || this.now) && isSmall()) this.send();
  }

  send(): void {
    this.at = this.clock.monotonic();
    this.post();
    this.cost = this.clock.monotonic() - this.at;
  }

  private sendIn(ms: number): void {
    if (this.later) return;
    this.later = true;
    this.clock.setTimer(() => {
      this.later = false;
      this.send();
    }, ms);
  }
}
