/** Derives the guest's state from its console output: is the shell waiting, what does it loop over, what has KVM measured? */

const WATCH = /^0x([0-9a-f]+): (?:0x[0-9a-f]{16}|hole) \(any key ends\)$/;
const SWEEP = /^0x([0-9a-f]+), \S+ \S+: a word of each page, round and round \(any key ends\)$/;
const LOOP_END = /^ {2}(?:\d+ reads, \d+ changes?, \d+ holes?(?: of \d+ reads?)?|\d+ rounds over \d+ pages?)$/;
const BOOT = /^memlab, /;
/** kvm-memslots: times, ioctls, us of each, ms in all, reads, holes. */
const EXCHANGE =
  /^(\d+) exchanges by (\d+) ioctls, (\d+) us each, (\d+) ms; the nested guest read (\d+) times and fell into the hole (\d+) times/;
const PROMPT = /(?:^|\n)(?:lab|kvm)[>#] $/;
/** Busybox's shell asks the terminal where its cursor is. */
const CURSOR_QUESTION = `${String.fromCharCode(27)}[6n`;
/** Characters; the longest line of interest is far shorter. */
const LONGEST_LINE = 400;

export class GuestTalk {
  /** Address that the guest watches. */
  watching: number | undefined;
  /** Where the range starts that the guest sweeps. */
  sweeping: number | undefined;
  atPrompt = false;
  /** The guest whose prompt was last seen. */
  shell: 'memlab' | 'linux-kvm' | undefined;
  /** Figures of the last exchange that kvm-memslots did. */
  exchanged: Readonly<Record<string, number>> | undefined;
  #line = '';

  /** Something was typed, so the current prompt no longer counts. */
  typed(): void {
    this.atPrompt = false;
  }

  /** Another guest's console follows. */
  restart(): void {
    this.watching = undefined;
    this.sweeping = undefined;
    this.atPrompt = false;
    this.shell = undefined;
    this.exchanged = undefined;
    this.#line = '';
  }

  /** True when something of the above has changed. */
  hear(text: string): boolean {
    const before = [this.watching, this.sweeping, this.atPrompt, this.exchanged];
    for (const part of text.replaceAll('\r', '').split(/(\n)/)) {
      if (part === '\n') this.#end();
      else this.#line = (this.#line + part).slice(-LONGEST_LINE);
    }
    this.atPrompt = PROMPT.test(this.#line.replace(CURSOR_QUESTION, ''));
    if (this.atPrompt) this.shell = this.#line.includes('kvm# ') ? 'linux-kvm' : 'memlab';
    return [this.watching, this.sweeping, this.atPrompt, this.exchanged].some((value, index) => value !== before[index]);
  }

  #end(): void {
    const line = this.#line;
    this.#line = '';
    const exchange = EXCHANGE.exec(line)?.slice(1).map(Number);
    if (exchange) {
      const [times = 0, ioctls = 0, each = 0, took = 0, reads = 0, holes = 0] = exchange;
      this.exchanged = { times, ioctls, each, took, reads, holes };
    }
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
