/** A machine, its serial console as text, and its monitor. The guest runs only inside calls, so a script runs the same every time. */
import type { Machine } from '../machine/index';
import { type Answer, Monitor, memoryLayouts } from '../monitor/index';
import { layoutFormat, loadMachine, saveMachine, snapshotFormat } from '../snapshot/index';
import { memorySnapshots } from './stores';

/** Instructions between two checks of the guest's output. */
const STRIDE = 500_000;
/** Default limit of `expect`, instructions: 16 s of guest time. */
const PATIENCE = 2_000_000_000;
/** Characters of the console to keep. */
const MOST_OUTPUT = 4 * 2 ** 20;
/** Characters of the console in an error. */
const SHOWN = 400;
/** Base of links from `share`, before "#l=...": where `npm start` serves the page. */
const LINK_BASE = 'http://localhost:4173/';

export class Lab {
  /** The guest's output on its serial line so far; the last 4 Mi characters. */
  output = '';
  private seen = 0;
  private readonly hmp: Monitor;

  constructor(readonly machine: Machine) {
    const decoder = new TextDecoder();
    machine.serial.onOutput((bytes) => {
      this.output += decoder.decode(bytes, { stream: true });
      const excess = this.output.length - MOST_OUTPUT;
      if (excess <= 0) return;
      this.output = this.output.slice(excess);
      this.seen = Math.max(0, this.seen - excess);
    });
    this.hmp = new Monitor(machine, {
      layouts: memoryLayouts(),
      format: layoutFormat,
      snapshots: memorySnapshots(),
      snapshotFormat,
      linkBase: LINK_BASE,
      quit: () => machine.run.stop(),
      wallClock: () => Date.now(),
    });
  }

  /** Runs n instructions; an idle guest skips ahead to its next timer. Runs fewer if the machine stops, or nothing can wake the guest. */
  advance(n: number): void {
    this.machine.run.advance(n);
  }

  /** Input for the guest's serial line. Throws if not all of it is accepted: at most 1 MiB waits for the guest. */
  type(text: string): void {
    const bytes = new TextEncoder().encode(text);
    const taken = this.machine.serial.input(bytes);
    if (taken < bytes.length)
      throw new Error(`the serial line accepted ${taken} of ${bytes.length} bytes: advance the guest, then type the rest`);
  }

  /**
   * Runs until the guest prints `text`, and returns its output since the last `expect`, up to the end of the text. Throws after `most` instructions
   * without it, or as soon as the guest cannot continue.
   */
  expect(text: string, most = PATIENCE): string {
    const { run } = this.machine;
    const end = run.instructions + most;
    for (;;) {
      const at = this.output.indexOf(text, this.seen);
      if (at >= 0) {
        const from = this.seen;
        this.seen = at + text.length;
        return this.output.slice(from, this.seen);
      }
      const before = run.instructions;
      if (before < end) run.advance(Math.min(STRIDE, end - before));
      if (run.instructions > before || this.output.indexOf(text, this.seen) >= 0) continue;
      const why = before >= end ? `in ${most} instructions` : `and cannot go on (${run.state})`;
      throw new Error(
        `the guest did not print ${JSON.stringify(text)} ${why}; its last words: ${JSON.stringify(this.output.slice(-SHOWN))}`,
      );
    }
  }

  /** Runs a line of the monitor (HMP) and returns its output. Rejects with the reason if the line is refused. */
  async monitor(line: string): Promise<string> {
    const answer = await this.answer(line);
    if (answer.failed) throw new Error(answer.reason);
    return answer.text;
  }

  /** The same as a value: output, whether it failed, and why. Never rejects. */
  answer(line: string): Promise<Answer> {
    return this.hmp.answer(line);
  }

  /** The whole machine as a snapshot file (`.mslm`), which the page can import, too. */
  async save(): Promise<Uint8Array<ArrayBuffer>> {
    return (await saveMachine(this.machine, Date.now())).bytes;
  }

  /** Loads a snapshot file into this machine, completely or not at all. Rejects with the reason if it is refused. */
  async load(file: Uint8Array): Promise<void> {
    const reason = await loadMachine(this.machine, file);
    if (reason !== undefined) throw new Error(reason);
    this.seen = this.output.length;
  }
}
