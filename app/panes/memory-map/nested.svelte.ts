/**
 * The memory of nested guests, as map, legend and inspector show it: queried from the worker once a second while the map is shown, on a processor
 * that supports them, and once more when the guest has stopped.
 */
import type { NestedMemory } from '../../../engine/worker/protocol';
import type { Lab } from '../../lab/lab.svelte';

/** ms between two questions */
const PERIOD = 1000;

export class Nested {
  answer = $state.raw<NestedMemory | undefined>(undefined);
  readonly #lab: Lab;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #shown = 0;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Queries at once, and repeatedly while the guest runs. Returns a function that ends it. */
  show(): () => void {
    const mine = ++this.#shown;
    const ask = (): void => {
      this.#lab
        .query({ ask: 'nested-memory' })
        .then((answer) => {
          if (mine === this.#shown) this.answer = answer.guests > 0 ? answer : undefined;
        })
        .catch(() => undefined)
        .finally(() => {
          if (mine === this.#shown && this.#lab.state?.run === 'running') this.#timer = setTimeout(ask, PERIOD);
        });
    };
    ask();
    return () => {
      if (mine !== this.#shown) return;
      this.#shown++;
      clearTimeout(this.#timer);
    };
  }

  forget(): void {
    this.answer = undefined;
  }
}
