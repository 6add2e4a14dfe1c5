/**
 * The loop that keeps a machine running beside other work of its thread: short stretches, a turn for other work in between, sleep while the guest is
 * idle, and a wake-up at once when input arrives.
 */
import type { Machine } from './api';

export interface RunnerOptions {
  machine: Machine;
  /** ms, monotonic */
  wallClock: () => number;
  /** Lets other events be handled and returns soon: a MessageChannel turn, setImmediate. */
  yieldTurn: () => Promise<void>;
  setTimer: (wake: () => void, ms: number) => unknown;
  clearTimer: (timer: unknown) => void;
  /** Length of a stretch, ms. */
  stretch?: number;
  /** The loop ended with an internal error; the machine is stopped. */
  onError?: (error: unknown) => void;
}

const STRETCH_MS = 8;
/** Longest sleep while idle: guest time continues. */
const LONGEST_SLEEP_MS = 500;

export class Runner {
  private wakeUp: (() => void) | undefined;
  private looping: Promise<void> | undefined;
  private ended = false;
  private holds = 0;
  private readonly unsubscribe: () => void;

  constructor(private readonly options: RunnerOptions) {
    this.unsubscribe = options.machine.subscribe((event) => {
      if (event.type === 'wake' || event.type === 'state') this.wake();
    });
  }

  start(): void {
    this.looping ??= this.loop().catch((error) => {
      this.ended = true;
      this.options.onError?.(error);
    });
  }

  /** Ends a sleep: input for the guest arrived, or it runs again. */
  wake(): void {
    const wakeUp = this.wakeUp;
    this.wakeUp = undefined;
    wakeUp?.();
  }

  /** Keeps the machine from running until the returned function is called: the caller runs it, or works on it in several steps. */
  hold(): () => void {
    this.holds += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.holds -= 1;
      this.wake();
    };
  }

  /** Ends the loop; resolves when it is over. */
  async end(): Promise<void> {
    this.ended = true;
    this.unsubscribe();
    this.wake();
    await this.looping;
  }

  private async loop(): Promise<void> {
    const { machine, wallClock, yieldTurn, stretch = STRETCH_MS } = this.options;
    while (!this.ended) {
      if (machine.run.state !== 'running' || this.holds > 0) {
        await this.sleep(undefined);
        continue;
      }
      const { idle, wakeIn } = machine.run.until(wallClock() + stretch);
      if (this.ended) return;
      if (idle) await this.sleep(wakeIn === undefined ? LONGEST_SLEEP_MS : Math.min(wakeIn / 1e6, LONGEST_SLEEP_MS));
      else await yieldTurn();
    }
  }

  /** ms undefined: until woken. A time below a millisecond is a turn for others. */
  private async sleep(ms: number | undefined): Promise<void> {
    if (ms !== undefined && ms < 1) return this.options.yieldTurn();
    await new Promise<void>((resolve) => {
      const timer = ms === undefined ? undefined : this.options.setTimer(() => this.wake(), ms);
      this.wakeUp = () => {
        if (timer !== undefined) this.options.clearTimer(timer);
        resolve();
      };
    });
  }
}
