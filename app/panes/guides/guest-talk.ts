/** What memlab's console says about the guest: is its shell waiting, what does it loop over? Fed with the output as it comes. */

const WATCH = /^0x([0-9a-f]+): (?:0x[0-9a-f]{16}|hole) \(any key ends\)$/;
const SWEEP = /^0x([0-9a-f]+), \S+ \S+: a word of each page, round and round \(any key ends\)$/;
const LOOP_END = /^ {2}(?:\d+ reads, \d+ changes?, \d+ holes?(?: of \d+ reads?)?|\d+ rounds over \d+ pages?)$/;
const BOOT = /^memlab, /;
const PROMPT = /(?:^|\n)lab> $/;
/** Characters; the longest line of interest is far shorter. */
const LONGEST_LINE = 400;

export class GuestTalk {
  /** Address that the guest watches. */
  watching: number | undefined;
  /** Where the range starts that the guest sweeps. */
  sweeping: number | undefined;
  atPrompt = false;
  #line = '';

  /** Something was typed: the prompt that stands there now is used up. */
  typed(): void {
    this.atPrompt = false;
  }

  /** Another guest's console follows. */
  restart(): void {
    this.watching = undefined;
    this.sweeping = undefined;
    this.atPrompt = false;
    this.#line = '';
  }

  /** True when something of the above has changed. */
  hear(text: string): boolean {
    const before = [this.watching, this.sweeping, this.atPrompt];
    for (const part of text.replaceAll('\r', '').split(/(\n)/)) {
      if (part === '\n') this.#end();
      else this.#line = (this.#line + part).slice(-LONGEST_LINE);
    }
    this.atPrompt = PROMPT.test(this.#line);
    return [this.watching, this.sweeping, this.atPrompt].some((value, index) => value !== before[index]);
  }

  #end(): void {
    const line = this.#line;
    this.#line = '';
    const watch = WATCH.exec(line);
    const sweep = SWEEP.exec(line);
    if (watch) this.watching = Number.parseInt(watch[1] ?? '', 16);
    else if (sweep) this.sweeping = Number.parseInt(sweep[1] ?? '', 16);
    else if (LOOP_END.test(line) || BOOT.test(line)) {
      this.watching = undefined;
      this.sweeping = undefined;
    }
  }
}
