/** The escape key of a raw terminal, as in QEMU -nographic: Ctrl-A, then a letter. */

const CTRL_A = 0x01;
const HELP = 'Ctrl-A h: this help   Ctrl-A x: leave lab   Ctrl-A Ctrl-A or Ctrl-A a: send Ctrl-A';

export interface KeyActions {
  quit: () => void;
  /** A line for the user. */
  tell: (text: string) => void;
}

/** Filters typed input: takes out the escapes and passes on the rest. It remembers a Ctrl-A at the end of a chunk. */
export function terminalKeys(actions: KeyActions): (bytes: Uint8Array) => Uint8Array {
  let escaped = false;
  return (bytes) => {
    const passed: number[] = [];
    for (const byte of bytes) {
      if (!escaped) {
        if (byte === CTRL_A) escaped = true;
        else passed.push(byte);
        continue;
      }
      escaped = false;
      const key = String.fromCharCode(byte);
      if (byte === CTRL_A || key === 'a') passed.push(CTRL_A);
      else if (key === 'x') actions.quit();
      else if (key === 'h' || key === '?') actions.tell(HELP);
    }
    return Uint8Array.from(passed);
  };
}
