/** Live figures: speed, and events per second since the last figures. Sent while something changes. */
import type { Machine } from '../machine/index';
import type { Figures, Rates } from './protocol';

interface Clock {
  monotonic(): number;
  setTimer(wake: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
}

/** A guest with fewer million instructions per second is waiting, not working. */
const IDLE_MIPS = 0.5;

/** ms between two figures of a waiting guest: its timers always change them a little, and each makes the page draw. */
const IDLE_PERIOD = 1000;

/** The machine's counter behind each rate. */
const COUNTERS: Record<keyof Rates, string> = {
  tlbMisses: 'tlb_misses',
  zappedPages: 'zapped_pages',
  dirtyPages: 'dirtied_pages',
  mmio: 'mmio',
  pio: 'pio',
  holes: 'holes',
};

export class Figurer {
  private timer: unknown;
  private at: number;
  private instructions: number;
  private counts: Record<string, number>;
  private last = '';
  private wasIdle = false;

  constructor(
    private readonly machine: Machine,
    private readonly clock: Clock,
    private readonly period: number,
    private readonly post: (figures: Figures) => void,
  ) {
    this.at = clock.monotonic();
    this.instructions = machine.run.instructions;
    this.counts = machine.inspect.stats();
    this.schedule();
  }

  end(): void {
    this.clock.clearTimer(this.timer);
    this.timer = undefined;
  }

  send(): void {
    const { machine } = this;
    const now = this.clock.monotonic();
    const instructions = machine.run.instructions;
    const counts = machine.inspect.stats();
    // The counters of a loaded snapshot may be lower.
    const since = (counter: string): number => Math.max(0, (counts[counter] ?? 0) - (this.counts[counter] ?? 0));
    const done = Math.max(0, instructions - this.instructions);
    const elapsed = Math.max(1, now - this.at);
    const mips = done / elapsed / 1000;
    const idle = machine.run.state === 'running' && mips < IDLE_MIPS;
    if (idle && this.wasIdle && elapsed < IDLE_PERIOD) return;
    this.wasIdle = idle;
    const perSecond = (counter: string): number => Math.round((since(counter) * 1000) / elapsed);
    const rates = Object.fromEntries(Object.entries(COUNTERS).map(([name, counter]) => [name, perSecond(counter)])) as unknown as Rates;
    const jit =
      counts.jit_regions === undefined
        ? undefined
        : {
            share: done > 0 ? Math.min(100, Math.round((since('jit_instructions') * 1000) / done) / 10) : 0,
            refused: counts.jit_refused === 1,
            regions: counts.jit_regions,
            compileMs: Math.round(since('jit_compile_us') / elapsed),
            regionsDropped: perSecond('jit_regions_dropped'),
            windowsDropped: perSecond('jit_windows_dropped'),
          };
    const figures: Figures = {
      mips: Math.round(mips * 10) / 10,
      instructions,
      guestTimeNs: machine.run.guestTimeNs,
      tlbMissPerMille: done > 0 ? Math.round((since('tlb_misses') * 100_000) / done) / 100 : 0,
      rates,
      ...(jit && { jit }),
      holes: machine.inspect.holes.total,
      idle,
    };
    this.at = now;
    this.instructions = instructions;
    this.counts = counts;
    const text = JSON.stringify(figures);
    if (text !== this.last) this.post(figures);
    this.last = text;
  }

  private schedule(): void {
    this.timer = this.clock.setTimer(() => {
      this.send();
      this.schedule();
    }, this.period);
  }
}
