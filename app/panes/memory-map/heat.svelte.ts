/**
 * The dirty heat that the map, the table and the status bar show: queried from the worker at most four times a second, while it is shown and the
 * guest runs, and once more when the guest has stopped. Heat is the share of pages that are dirty in the log since it was last harvested.
 */
import type { DirtyHeat, HeatSpan } from '../../../engine/worker/protocol';
import type { Lab } from '../../lab/lab.svelte';

/** ms between two questions */
const PERIOD = 250;
/** 0 clean, else the colour of the ramp, by the share of dirty pages. */
const STEPS = [0.04, 0.15, 0.4];
const ALL = 254;
const UNKNOWN = 255;

export const HEAT_WORDS = ['clean', 'to 4 %', 'to 15 %', 'to 40 %', 'over 40 %'] as const;

/** 0..4; undefined: nothing is logged there. */
export function heatLevel(share: number): 0 | 1 | 2 | 3 | 4 | undefined {
  if (share === UNKNOWN) return undefined;
  if (share === 0) return 0;
  const step = STEPS.findIndex((limit) => share / ALL <= limit);
  return (step < 0 ? 4 : step + 1) as 1 | 2 | 3 | 4;
}

export interface HeatRequest {
  spans: readonly HeatSpan[];
  /** The page that the status bar is about */
  at: number | undefined;
}

export class Heat {
  /** What `columns` of `answer` are of. */
  spans = $state.raw<readonly HeatSpan[]>([]);
  answer = $state.raw<DirtyHeat | undefined>(undefined);
  readonly #lab: Lab;
  #wanted: (() => HeatRequest) | undefined;
  #asked: (() => HeatRequest) | undefined;
  #busy = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Computed per query, not per frame. undefined: not shown. */
  want(request: (() => HeatRequest) | undefined): void {
    this.#wanted = request;
    if (!request) this.forget();
    this.#pump();
  }

  /** The layout changed, so cached addresses are stale. */
  forget(): void {
    this.spans = [];
    this.answer = undefined;
    this.#asked = undefined;
  }

  #pump(): void {
    const wanted = this.#wanted;
    if (this.#busy || this.#timer !== undefined || !wanted) return;
    if (this.#asked === wanted && this.#lab.state?.run !== 'running') return;
    const request = wanted();
    this.#asked = wanted;
    if (!request.spans.length) {
      this.spans = [];
      this.answer = undefined;
      return;
    }
    this.#busy = true;
    this.#lab
      .query({ ask: 'dirty-heat', spans: request.spans, ...(request.at === undefined ? {} : { at: request.at }) })
      .then((answer) => {
        // Dropped, since the layout has changed.
        if (!this.#asked) return;
        this.spans = request.spans;
        this.answer = answer;
      })
      .catch(() => undefined)
      .finally(() => {
        this.#busy = false;
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          this.#pump();
        }, PERIOD);
      });
  }
}

/** Columns of [from, to), two pixels each. */
export const spanOf = (from: number, to: number, pixels: number): HeatSpan => ({ from, to, columns: Math.max(1, Math.ceil(pixels / 2)) });
