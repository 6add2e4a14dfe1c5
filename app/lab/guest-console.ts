/** The guest's output on its way to a terminal: kept until there is one, and passed to all listeners. */

import { UNSHOWN_CONSOLE } from '../shared/bounds';

/** A terminal; the console pane puts its own here. */
export interface ConsoleScreen {
  write(text: string): void;
  clear(): void;
  text(): string;
  /** As `text`, up to the cursor: what would have to be written to see it again. */
  screen(): string;
}

export class GuestConsole {
  /** Hear what the guest prints; undefined: another machine's console follows. */
  readonly listeners = new Set<(text: string | undefined) => void>();
  #screen: ConsoleScreen | undefined;
  /** Of what no terminal has shown yet, the end. */
  #early = '';

  text(): string {
    return this.#screen?.text() ?? '';
  }

  /** What would have to be written to see it again; '' where nothing shows it. */
  screen(): string {
    return this.#screen?.screen() ?? '';
  }

  print(text: string): void {
    for (const hear of this.listeners) hear(text);
    if (this.#screen) this.#screen.write(text);
    else this.#early = (this.#early + text).slice(-UNSHOWN_CONSOLE);
  }

  /** Another machine's console follows. */
  clear(): void {
    this.#early = '';
    this.#screen?.clear();
    for (const hear of this.listeners) hear(undefined);
  }

  /** Shows this and nothing else. */
  show(text: string): void {
    this.clear();
    this.print(text);
  }

  /** The pane is there: it gets what the guest said before. Returns what takes it away. */
  attach(screen: ConsoleScreen): () => void {
    this.#screen = screen;
    if (this.#early) screen.write(this.#early);
    this.#early = '';
    return () => {
      this.#screen = undefined;
    };
  }
}
