/** What memlab's console says about the guest: is its shell waiting, is it watching an address? Fed with the output as it comes. */

const WATCH = /^0x([0-9a-f]+): (?:0x[0-9a-f]{16}|hole) \(any key ends\)$/;
const WATCH_END = /^ {2}\d+ reads, \d+ changes?, \d+ holes?$/;
const BOOT = /^memlab, /;
const PROMPT = /(?:^|\n)lab> $/;
/** Characters; the longest line of interest is far shorter. */
const LONGEST_LINE = 400;

export class GuestTalk {
  /** Address that the guest watches. */
  watching: number | undefined;
  atPrompt = false;
  #line = '';

  /** Something was typed: the prompt that stands there now is used up. */
  typed(): void {
    this.atPrompt = false;
  }

  /** Another guest's console follows. */
  restart(): void {
    this.watching = undefined;
    this.atPrompt = false;
    this.#line = '';
  }

  /** True when something of the above has changed. */
  hear(text: string): boolean {
    const before = this.watching;
    const beforePrompt = this.atPrompt;
    for (const part of text.replaceAll('\r', '').split(/(\n)/)) {
      if (part === '\n') this.#end();
      else this.#line = (this.#line + part).slice(-LONGEST_LINE);
    }
    this.atPrompt = PROMPT.test(this.#line);
    return this.watching !== before || this.atPrompt !== beforePrompt;
  }

  #end(): void {
    const line = this.#line;
    this.#line = '';
    const watch = WATCH.exec(line);
    if (watch) this.watching = Number.parseInt(watch[1] ?? '', 16);
    else if (WATCH_END.test(line) || BOOT.test(line)) this.watching = undefined;
  }
}
