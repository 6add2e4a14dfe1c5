/** Plays a replay's journal on a machine at its start position, as fast as possible in short stretches, and checks the digest at the end. */
import type { Machine } from '../machine/index';
import type { JournalInput, Replay } from '../snapshot/index';
import { withHvasHere } from './host-base';
import { asReason, otherProgram } from './program';
import type { Recorder } from './recorder';
import { reasonOf } from './refusals';
import type { ReplayView } from './types';

export interface PlayerOptions {
  machine: Machine;
  recorder: Recorder;
  apply(input: JournalInput): unknown;
  /** ms */
  monotonic(): number;
  yieldTurn(): Promise<void>;
  post(view: ReplayView): void;
}

/** ms: how long the worker's messages wait at most, and how often progress is reported. */
const STRETCH_MS = 8;
const REPORT_MS = 100;

export class Player {
  private cancelled = false;
  private playing: Replay | undefined;
  /** An input was aborted halfway. */
  private gaveUp = false;
  private reported = Number.NEGATIVE_INFINITY;
  private yielded = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: PlayerOptions) {}

  cancel(): void {
    this.cancelled = true;
  }

  /** During a long input: reports progress and handles messages. False: abort it. */
  async pause(): Promise<boolean> {
    if (this.playing) this.report(this.playing);
    await this.turn();
    this.gaveUp = this.cancelled;
    return !this.gaveUp;
  }

  /** Plays to the end, the first failure, or `cancel`. Reports the outcome; never throws. */
  async play(replay: Replay): Promise<void> {
    const { recorder, post } = this.options;
    recorder.playing = true;
    this.playing = replay;
    let view: ReplayView;
    try {
      view = await this.run(replay);
    } catch (error) {
      view = { phase: 'failed', reason: reasonOf(error) };
    }
    recorder.playing = false;
    post(view);
  }

  private async run(replay: Replay): Promise<ReplayView> {
    const { machine, recorder, apply } = this.options;
    for (const [index, { at, input: recorded }] of replay.entries.entries()) {
      const input = withHvasHere(recorded, replay.hostBase);
      const stopped = await this.reach(at, replay, `input ${index + 1} of ${replay.entries.length}`);
      if (stopped) return stopped;
      // An input that was refused when recorded is refused again: that is part of the replay.
      try {
        await recorder.note(input, () => apply(input));
      } catch {}
      if (this.gaveUp) recorder.cut('the replay was cancelled in the middle of a legacy commit');
      if (this.cancelled) return this.cancelledAt(replay);
    }
    const stopped = await this.reach(replay.end, replay, 'the end');
    if (stopped) return stopped;
    const { instructions } = machine.run;
    const digest = await machine.digest();
    const other = otherProgram(replay.spec);
    return { phase: 'done', expected: replay.digest, digest, instructions: instructions - replay.start.instructions, other };
  }

  private async reach(at: Replay['end'], replay: Replay, what: string): Promise<ReplayView | undefined> {
    const { machine, monotonic } = this.options;
    for (;;) {
      const result = machine.run.to(at, monotonic() + STRETCH_MS);
      this.report(replay);
      const done = machine.run.instructions - replay.start.instructions;
      if (result === 'never')
        return {
          phase: 'failed',
          reason: `after ${done} instructions it diverged from ${what} of the record${asReason(replay.spec)}`,
        };
      await this.turn(result === 'going');
      if (this.cancelled) return this.cancelledAt(replay);
      if (result === 'there') return undefined;
    }
  }

  private cancelledAt({ start }: Replay): ReplayView {
    return { phase: 'cancelled', instructions: this.options.machine.run.instructions - start.instructions };
  }

  /** Lets others run after a stretch, and also after many inputs at one position, which take time without being a stretch. */
  private async turn(over = false): Promise<void> {
    const { monotonic, yieldTurn } = this.options;
    if (!over && monotonic() - this.yielded <= STRETCH_MS) return;
    await yieldTurn();
    this.yielded = monotonic();
  }

  private report({ start, end }: Replay): void {
    const { machine, monotonic, post } = this.options;
    const now = monotonic();
    if (now - this.reported < REPORT_MS) return;
    this.reported = now;
    post({ phase: 'running', done: machine.run.instructions - start.instructions, total: end.instructions - start.instructions });
  }
}
