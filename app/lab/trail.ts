/** The live figures of the last two minutes, for charts. The worker sends figures only while something changes; the last ones hold until the next. */
import type { Figures, Rates } from '../../engine/worker/protocol';
import { TRAIL_SECONDS } from '../shared/bounds';

export type TrailKey = 'mips' | 'compiled' | 'windowsDropped' | keyof Rates;
/** s: after this time without figures the guest is waiting; a shorter gap may be a late message. */
const GAP = 0.6;
const BEFORE = 0.25;

const KEYS: readonly TrailKey[] = ['mips', 'compiled', 'windowsDropped', 'tlbMisses', 'zappedPages', 'dirtyPages', 'mmio', 'pio', 'holes'];

function figureOf({ mips, jit, rates }: Figures, key: TrailKey): number {
  if (key === 'mips') return mips;
  if (key === 'compiled') return jit?.share ?? 0;
  return key === 'windowsDropped' ? (jit?.windowsDropped ?? 0) : rates[key];
}

export class Trail {
  /** s */
  #times: number[] = [];
  #values = Object.fromEntries(KEYS.map((key) => [key, [] as number[]])) as Record<TrailKey, number[]>;

  /** now: s, a clock that never goes back. */
  push(figures: Figures, now: number): void {
    const last = this.#times.at(-1);
    if (last !== undefined && now - last > GAP) this.#add(now - BEFORE, (key) => this.#values[key].at(-1)!);
    this.#add(now, (key) => figureOf(figures, key));
    const old = this.#times.findIndex((time) => time > now - TRAIL_SECONDS - 1);
    if (old <= 0) return;
    this.#times.splice(0, old);
    for (const key of KEYS) this.#values[key].splice(0, old);
  }

  clear(): void {
    this.#times.length = 0;
    for (const key of KEYS) this.#values[key].length = 0;
  }

  /** Seconds before `now` (0 is now) and the values then, oldest first; the last value holds up to now. */
  read(key: TrailKey, now: number): { ages: number[]; values: number[] } {
    const ages = this.#times.map((time) => time - now);
    const values = [...this.#values[key]];
    const last = ages.at(-1);
    if (last !== undefined && last < -BEFORE) {
      ages.push(0);
      values.push(values.at(-1)!);
    }
    return { ages, values };
  }

  #add(time: number, pick: (key: TrailKey) => number): void {
    this.#times.push(time);
    for (const key of KEYS) this.#values[key].push(pick(key));
  }
}
