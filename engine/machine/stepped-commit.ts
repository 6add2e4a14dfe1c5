/**
 * A commit of the change set phase by phase, with the guest running in between. From swap 1 to swap 2 a vCPU that touches an INVALID slot keeps
 * retrying; before swap 1 nothing has changed and the commit can be aborted.
 */
import type { CommitRun, Phase } from '../memory/index';
import type { Commit } from '../memory/types';
import { MachineError, type PhaseReport, type Stepping } from './api';

export interface SteppedContext {
  /** Guest accesses retried since power-on. */
  retries(): number;
  generation(): number;
  /** Called just before the phase from which on no other commit can intervene. The returned function is called at the end. */
  begin(): (accepted: boolean) => void;
}

export class SteppedCommit {
  private retriesBefore: number | undefined;
  /** While slots are INVALID: which they are, and how often a vCPU met them. */
  private waiting: { slot: number; start: number; end: number; retries: number }[] = [];
  private ended: ((accepted: boolean) => void) | undefined;

  constructor(
    private readonly run: CommitRun,
    private readonly context: SteppedContext,
  ) {}

  get result(): Commit | undefined {
    return this.run.result;
  }

  get canAbort(): boolean {
    return this.retriesBefore === undefined;
  }

  get view(): Stepping {
    const { run } = this;
    const { swaps = 0, zapped = [], generation = 0 } = run.outlook ?? {};
    return {
      phase: run.phase as Phase,
      done: run.timings.map((time) => ({ ...time })),
      swaps,
      generation,
      zappedPages: zapped.reduce((sum, range) => sum + range.end - range.start, 0),
      invalid: this.waiting.map(({ slot }) => slot),
      invalidRetries: this.waiting.map(({ retries }) => retries),
      retries: this.retriesBefore === undefined ? 0 : this.context.retries() - this.retriesBefore,
      canAbort: this.canAbort,
    };
  }

  /** Runs the next phase. */
  step(): PhaseReport {
    const phase = this.run.phase as Phase;
    const publishes = phase === 'swap1' || phase === 'swap2';
    if (publishes && this.retriesBefore === undefined) {
      this.retriesBefore = this.context.retries();
      this.ended = this.context.begin();
    }
    this.run.step();
    if (publishes) this.waiting = this.run.invalid.filter(({ asId }) => asId === 0).map((range) => ({ ...range, retries: 0 }));
    const { result } = this.run;
    const view = this.view;
    if (result) {
      this.ended?.(result.ok);
      this.ended = undefined;
    }
    const us = view.done.at(-1)?.us;
    return {
      phase,
      ...(us === undefined ? {} : { us }),
      generation: this.context.generation(),
      view,
      ...(result ? { commit: result } : {}),
    };
  }

  /** A vCPU met an INVALID slot. This is on the guest's memory path: it allocates nothing. */
  retried(gfn: number): void {
    for (const range of this.waiting) if (gfn >= range.start && gfn < range.end) range.retries++;
  }

  abort(): void {
    if (!this.run.abort()) throw new MachineError('it is past swap 1: the guest already uses it, so run it to its end and undo it');
  }
}
