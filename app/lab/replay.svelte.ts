/** A replay as the page sees it: its progress and its result. */
import type { ReplayView } from '../../engine/worker/protocol';
import { count, sentence } from '../shared/format';
import type { Notices } from './notices';

export class Replay {
  /** While one runs. */
  running = $state.raw<Extract<ReplayView, { phase: 'running' }> | undefined>(undefined);
  readonly #lab: Notices;

  constructor(lab: Notices) {
    this.#lab = lab;
  }

  /** Share of the instructions that are done. */
  get percent(): number {
    const { done = 0, total = 0 } = this.running ?? {};
    return total ? Math.floor((Math.min(done, total) / total) * 100) : 0;
  }

  /** "1.24 of 2.00 G instructions" */
  get words(): string {
    const { done = 0, total = 0 } = this.running ?? {};
    const [unit, letter] = total >= 1e9 ? [1e9, 'G '] : total >= 1e6 ? [1e6, 'M '] : [1, ''];
    const figure = (value: number): string => (unit === 1 ? count(value) : (value / unit).toFixed(2));
    return `${figure(Math.min(done, total))} of ${figure(total)} ${letter}instructions`;
  }

  forget(): void {
    this.running = undefined;
    this.#lab.dismiss('replay');
  }

  hear(view: ReplayView): void {
    this.running = view.phase === 'running' ? view : undefined;
    if (view.phase === 'running') return;
    if (view.phase === 'cancelled')
      this.#lab.say({ text: `Replay cancelled after ${count(view.instructions)} instructions: the machine continues from here.` });
    else if (view.phase === 'failed')
      this.#bad(
        'The replay stopped.',
        `${sentence(view.reason)} The machine continues from here, but it is not the one that was recorded.`,
      );
    else if (view.digest !== view.expected)
      this.#bad(
        'Replayed, but the digest differs.',
        `Recorded: ${view.expected}. This machine: ${view.digest}.${view.other ? ` ${sentence(view.other)}` : ''}`,
      );
    else {
      const text = `${count(view.instructions)} instructions, the digest is equal. Recorded: ${view.expected}. This machine: ${view.digest}.`;
      this.#lab.tell({ kind: 'replay', tone: 'ok', title: 'Replayed:', text });
    }
  }

  #bad(title: string, text: string): void {
    this.#lab.tell({ kind: 'replay', tone: 'bad', title, text });
  }
}
