import type { MachineOptions } from '../../engine/machine/index';
import { Guest, rootFile } from './harness';
import { Screen } from './screen';

const LOOK_EVERY = 500_000;

interface Entry {
  name: string;
  kernel: string;
  append?: string;
}

/** Memtest86+ on the whole machine, with the screen that it draws on the serial line. */
export class Memtest {
  readonly screen = new Screen();
  /** Numbers of the tests shown so far, in order. Very short tests are never shown. */
  readonly tests: string[] = [];
  /** Every address it reported, bytes. */
  readonly failing = new Set<number>();
  private text = '';

  private constructor(readonly guest: Guest) {
    const decoder = new TextDecoder('latin1');
    guest.machine.serial.onOutput((bytes) => {
      this.screen.write(bytes);
      this.noteTest();
      this.noteErrors(decoder.decode(bytes));
    });
  }

  static async boot(options: Partial<MachineOptions> = {}): Promise<Memtest> {
    const index = JSON.parse(new TextDecoder().decode(rootFile('public/guests/index.json'))) as Entry[];
    const entry = index.find((listed) => listed.name === 'memtest86+');
    if (entry === undefined) throw new Error('Memtest86+ is not prepared: npm run guests -- memtest86+');
    const kernel = rootFile(`public/guests/${entry.kernel}`);
    return new Memtest(
      await Guest.boot({ guest: { name: entry.name, kernel, append: entry.append ?? '' }, slots: 0, maxmem: options.ram ?? 0, ...options }),
    );
  }

  /** The number on its screen; NaN until it is shown. */
  get errors(): number {
    return Number(/Errors: *(\d+)/.exec(this.screen.line(9))?.[1] ?? Number.NaN);
  }

  /** Passes done. */
  get passes(): number {
    return Number(/Pass: *(\d+)/.exec(this.screen.line(9))?.[1] ?? 0);
  }

  /** "Pass 12%, test #5 [Moving inversions, random pattern]", for people. */
  get progress(): string {
    const percent = /Pass +(\d+%)/.exec(this.screen.line(2))?.[1] ?? '0%';
    const test = /#\d+ .*/.exec(this.screen.line(4))?.[0] ?? 'starting';
    return `pass ${percent}, test ${test}, ${this.errors} errors`;
  }

  /**
   * @param limit instructions
   * @throws Error with the screen when `limit` was not enough, or the machine stopped
   */
  runUntil(done: () => boolean, limit: number, what: string): void {
    const { machine } = this.guest;
    const end = machine.run.instructions + limit;
    while (!done()) {
      if (machine.run.state !== 'running' || machine.run.instructions >= end) {
        throw new Error(
          `no ${what}: the machine is ${machine.run.state} after ${machine.run.instructions} instructions\n${this.screen.text}`,
        );
      }
      machine.run.advance(LOOK_EVERY);
    }
  }

  private noteTest(): void {
    const number = /Test (#\d+)/.exec(this.screen.line(4))?.[1];
    if (number !== undefined && number !== this.tests.at(-1)) this.tests.push(number);
  }

  /** A failing address is printed as "000000a00008 (10MB)"; a piece of output may end inside one. */
  private noteErrors(piece: string): void {
    this.text += piece;
    for (const match of this.text.matchAll(/([0-9a-f]{12}) \(\d+[KMGT]B\)/g)) this.failing.add(Number.parseInt(match[1]!, 16));
    this.text = this.text.slice(-40);
  }
}
