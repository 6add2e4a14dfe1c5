/** Queries of the index pane to the worker: the last answer and the last measurement. One query runs at a time; the newest wins. */
import type { IndexBench, IndexView } from '../../../engine/worker/protocol';
import type { Lab } from '../../lab/lab.svelte';

export class IndexLook {
  view = $state.raw<IndexView | undefined>(undefined);
  bench = $state.raw<IndexBench | undefined>(undefined);
  measuring = $state(false);
  /** Why there is no answer or no measurement. */
  wrong = $state('');
  #asking = false;
  #next: { gpa: number | undefined } | undefined;

  constructor(private readonly lab: Lab) {}

  ask(gpa: number | undefined): void {
    this.#next = { gpa };
    if (!this.#asking) void this.#run();
  }

  async #run(): Promise<void> {
    this.#asking = true;
    try {
      while (this.#next) {
        const { gpa } = this.#next;
        this.#next = undefined;
        this.view = await this.lab.query({ ask: 'index', ...(gpa === undefined ? {} : { gpa }) });
        this.wrong = '';
      }
    } catch (error) {
      this.wrong = (error as Error).message;
    } finally {
      this.#asking = false;
    }
  }

  async measure(slots: number): Promise<void> {
    if (this.measuring) return;
    this.measuring = true;
    try {
      this.bench = await this.lab.query({ ask: 'index-bench', slots });
      this.wrong = '';
    } catch (error) {
      this.wrong = (error as Error).message;
    } finally {
      this.measuring = false;
    }
  }
}
