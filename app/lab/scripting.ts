/** `window.lab`: the machine from the browser's developer console, and for tests. */
import type { Lab } from './lab.svelte';

export interface LabScripting {
  /** The monitor's output for the line, without its prompt. */
  monitor(line: string): Promise<string>;
  console: {
    /** Everything on the guest's console, scrolled-off lines included, as plain text. */
    text(): string;
    /** As if typed; "\r" is Enter. */
    type(text: string): void;
  };
  /** Memory regions and devices, as in a layout. */
  layout(): Promise<unknown>;
  /** SHA-256 over vCPUs, devices, layout and RAM, hex. */
  digest(): Promise<string>;
  /**
   * A link that opens this layout, this machine as it is now (state), or a replay of it from its start. Rejects with the reason if it cannot be made.
   */
  share(what?: 'layout' | 'state' | 'replay'): Promise<string>;
}

declare global {
  interface Window {
    lab: LabScripting;
  }
}

export function installScripting(lab: Lab): void {
  window.lab = {
    monitor: async (line) => (await lab.monitor(String(line))).text,
    console: {
      text: () => lab.console.text(),
      type: (text) => lab.typeConsole(String(text)),
    },
    layout: () => lab.layout(),
    digest: () => lab.digest(),
    share: (what = 'layout') => lab.share(what),
  };
}
