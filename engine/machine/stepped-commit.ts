/**
 * A commit of the change set phase by phase, the guest running in between. From swap 1 to swap 2 a vCPU that touches an INVALID slot tries
 * again and again; up to swap 1 nothing has happened and the commit can be given up.
 */
import type { CommitRun, Phase } from '../memory/index';
import type { Commit } from '../memory/types';
import { MachineError, type PhaseReport, type Stepping } from './api';

export interface SteppedContext {
  /** Guest accesses that were tried again, since power-on. */
  retries(): number;
  generation(): number;
  /** Just before the phase from which no other commit can come between; what it returns is called at the end. */
  begin(): (accepted: boolean) => void;
}

export class SteppedCommit {
  private retriesBefore: number | undefined;
  /** While slots are INVALID: which, and how often a vCPU met them. */
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

  /** A vCPU met an INVALID slot. On the guest's memory path: nothing is allocated. */
  retried(gfn: number): void {
    for (const range of this.waiting) if (gfn >= range.start && gfn < range.end) range.retries++;
  }

  abort(): void {
    if (!this.run.abort()) throw new MachineError('it is past swap 1: the guest already uses it, so run it to its end and undo it');
  }
}
