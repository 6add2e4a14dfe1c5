/** A guest clock for device tests: time moves only on request, timers fire in order at their exact time. */
import type { Timer, VirtualClock } from './bus';

class TestTimer implements Timer {
  at: number | undefined;
  constructor(
    readonly name: string,
    readonly fire: () => void,
  ) {}
  set(at: number | undefined): void {
    this.at = at;
  }
}

export class TestClock implements VirtualClock {
  private time = 0;
  readonly timers: TestTimer[] = [];

  now(): number {
    return this.time;
  }

  timer(name: string, fire: () => void): Timer {
    const timer = new TestTimer(name, fire);
    this.timers.push(timer);
    return timer;
  }

  /** ns until the next timer, or undefined. */
  next(): number | undefined {
    const times = this.timers.flatMap((timer) => (timer.at === undefined ? [] : [timer.at]));
    return times.length === 0 ? undefined : Math.max(this.time, Math.min(...times));
  }

  advance(ns: number): void {
    const end = this.time + ns;
    for (let at = this.next(); at !== undefined && at <= end; at = this.next()) {
      this.time = at;
      for (const timer of this.timers) {
        if (timer.at === undefined || timer.at > at) continue;
        timer.at = undefined;
        timer.fire();
      }
    }
    this.time = end;
  }
}

/** Records the levels of a line. */
export function recorder(): { line: (level: 0 | 1) => void; level: 0 | 1; rises: number } {
  const record = {
    level: 0 as 0 | 1,
    rises: 0,
    line(level: 0 | 1): void {
      if (level === 1 && record.level === 0) record.rises++;
      record.level = level;
    },
  };
  return record;
}
