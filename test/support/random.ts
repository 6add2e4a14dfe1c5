/** Seeded randomness for tests (xorshift32). */
export class Random {
  constructor(private state: number) {
    if (!(state | 0)) this.state = 1;
  }

  /** 0 <= result < n */
  below(n: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % n;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}
