/** Parts that the page loads late: when they are needed, or once the page is idle. */

/** A browser may remember that an address did not load (Firefox does): where its error names the address, the next try asks for another one. */
const ADDRESS = /https?:\/\/\S+?\.js/;

export class Late<Value> {
  /** undefined: not there yet. */
  value = $state.raw<Value | undefined>(undefined);
  /** It was needed and did not load; it can be retried. */
  failed = $state(false);
  readonly #fetch: () => Promise<Value>;
  readonly #pick: (module: unknown) => Value;
  #loading: Promise<Value | undefined> | undefined;
  #tries = 0;
  #address: string | undefined;

  /** `fetch` imports a module of this program, and `pick` selects the part from it. */
  constructor(fetch: () => Promise<unknown>, pick: (module: never) => Value) {
    this.#pick = pick as (module: unknown) => Value;
    this.#fetch = async () => this.#pick(await fetch());
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
      this.value = await (this.#address ? this.#again(this.#address) : this.#fetch());
      this.failed = false;
    } catch (error) {
      this.#address = ADDRESS.exec((error as Error).message)?.[0];
      this.failed = true;
      this.#loading = undefined;
    }
    return this.value;
  }

  async #again(address: string): Promise<Value> {
    return this.#pick(await import(/* @vite-ignore */ `${address}?again=${++this.#tries}`));
  }
}
