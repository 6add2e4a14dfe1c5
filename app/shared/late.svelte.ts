/** A part that the page loads late: when it is needed, or once the page is idle. */
export class Late<Value, Module = unknown> {
  /** undefined: not there yet. */
  value = $state.raw<Value | undefined>(undefined);
  /** It was needed and did not load; it can be retried. */
  failed = $state(false);
  readonly #fetch: () => Promise<Value>;
  #loading: Promise<Value | undefined> | undefined;

  /** `fetch` imports a module of this program, and `pick` selects the part from it. */
  constructor(fetch: () => Promise<Module>, pick: (module: Module) => Value) {
    this.#fetch = async () => pick(await fetch());
  }

  /** undefined: it did not load, and `failed` is set. Never rejects. */
  load(): Promise<Value | undefined> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  /** Loads it in advance: a failure need not be reported. */
  async prepare(): Promise<void> {
    await this.load();
    this.failed = false;
  }

  async #load(): Promise<Value | undefined> {
    try {
      this.value = await this.#fetch();
      this.failed = false;
    } catch {
      this.failed = true;
      this.#loading = undefined;
    }
    return this.value;
  }
}
