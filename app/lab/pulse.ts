/**
 * Pings the worker once a second. Silence counts only while this page itself was awake and in view: a sleeping laptop or a background tab proves
 * nothing about the worker. A silent worker may be alive, since a large commit or snapshot takes seconds too.
 */
export interface PulseDeps {
  ping(): void;
  /** Is the page in view? */
  visible(): boolean;
  /** ms, monotonic */
  now(): number;
  /** Seconds without an answer, each second once they are too many; 0: it answers again. */
  tell(seconds: number): void;
}

export const PULSE_MS = 1000;
/** ms without an answer before it is reported. */
const TOO_LONG = 4000;

export class Pulse {
  #asked = false;
  #silent = 0;
  #told = false;
  #at: number;
  readonly #deps: PulseDeps;

  constructor(deps: PulseDeps) {
    this.#deps = deps;
    this.#at = deps.now();
  }

  /** The worker sent a message of any kind. */
  heard(): void {
    this.#asked = false;
    this.#silent = 0;
    if (!this.#told) return;
    this.#told = false;
    this.#deps.tell(0);
  }

  /** To be called every PULSE_MS; a call that is much later was itself delayed. */
  tick(): void {
    const { now, visible, ping, tell } = this.#deps;
    const passed = now() - this.#at;
    this.#at += passed;
    if (!this.#asked) {
      this.#asked = true;
      ping();
      return;
    }
    if (!visible() || passed > 2 * PULSE_MS) return;
    this.#silent += passed;
    if (this.#silent < TOO_LONG) return;
    this.#told = true;
    tell(Math.round(this.#silent / 1000));
  }
}
