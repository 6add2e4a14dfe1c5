/** A clock of `hz` derived from guest time, exact in integers: no drift, the same on every run. */
export class Rate {
  /** hz: an integer up to 8 MHz (products stay exact below 2^53). */
  constructor(readonly hz: number) {}

  /** Ticks that have passed at guest time `ns`. */
  ticksAt(ns: number): number {
    const second = Math.floor(ns / 1e9);
    return second * this.hz + Math.floor(((ns - second * 1e9) * this.hz) / 1e9);
  }

  /** The first ns at which `ticksAt` returns `tick`. */
  nsAt(tick: number): number {
    const second = Math.floor(tick / this.hz);
    return second * 1e9 + Math.ceil(((tick - second * this.hz) * 1e9) / this.hz);
  }
}
