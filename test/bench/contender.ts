/** One emulator with the bench image in it, waiting for a letter on its serial line. */

export interface Measured {
  /** Host time between the guest's start and end marks, ms. */
  ms: number;
  /** Guest instructions in between, as the emulator counts them. */
  instructions: number;
  /** As the guest printed it. */
  checksum: string;
}

export interface Contender {
  name: string;
  /** Runs one workload to its end; `letter` as in main.c. */
  run(letter: string): Promise<Measured>;
  close(): Promise<void>;
}

/** Follows the guest's serial output: 'S', then 'E' and eight hex digits and a newline. */
export class Marks {
  private ended: { ms: number; instructions: number } | undefined;
  private start: { at: number; instructions: number } | undefined;
  private text = '';
  private finish: ((measured: Measured) => void) | undefined;

  constructor(private readonly instructions: () => number) {}

  expect(finish: (measured: Measured) => void): void {
    this.finish = finish;
    this.start = undefined;
    this.text = '';
  }

  /** Has the guest begun? */
  get started(): boolean {
    return this.start !== undefined;
  }

  byte(value: number): void {
    const character = String.fromCharCode(value);
    if (character === 'S') {
      this.start = { at: performance.now(), instructions: this.instructions() };
      this.text = '';
    } else if (character === 'E' && this.start !== undefined) {
      this.ended = { ms: performance.now() - this.start.at, instructions: this.instructions() - this.start.instructions };
    } else if (character === '\n' && this.ended !== undefined) {
      const measured = { ...this.ended, checksum: this.text };
      this.ended = undefined;
      this.finish?.(measured);
    } else {
      this.text += character;
    }
  }
}
