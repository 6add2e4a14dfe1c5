/** The guest's output: kept until there is a terminal, and passed to all listeners. */

import { UNSHOWN_CONSOLE } from '../shared/bounds';

/** A terminal; the console pane puts its own here. */
export interface ConsoleScreen {
  write(text: string): void;
  clear(): void;
  text(): string;
  /** As `text`, up to the cursor: writing it to a terminal restores the screen. */
  screen(): string;
}

export class GuestConsole {
  /** Get the guest's output; undefined: another machine's console follows. */
  readonly listeners = new Set<(text: string | undefined) => void>();
  #screen: ConsoleScreen | undefined;
  /** The end of the output that no terminal has shown yet. */
  #early = '';

  text(): string {
    return this.#screen?.text() ?? '';
  }

  /** Writing this to a terminal restores the screen; '' if nothing shows it. */
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

  /** Attaches the pane's terminal, which gets the earlier output. Returns a function that detaches it. */
  attach(screen: ConsoleScreen): () => void {
    this.#screen = screen;
    if (this.#early) screen.write(this.#early);
    this.#early = '';
    return () => {
      this.#screen = undefined;
    };
  }
}
