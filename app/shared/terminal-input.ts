/**
 * Terminal input other than plain keys: text without key events (emoji picker, dictation, a phone's keyboard), and the clipboard keys. xterm.js
 * accepts such text only in some forms, and with a screen reader it accepts some twice.
 */
import type { Terminal } from '@xterm/xterm';
import { copyText } from './clipboard';

/** Which keys copy and paste. `shell`: Ctrl C and Ctrl V belong to the guest where the platform's terminals have it so; `line`: to the page. */
export type ClipboardKeys = 'shell' | 'line';

const PLATFORM = (navigator as { userAgentData?: { platform?: string } }).userAgentData?.platform ?? navigator.platform;
export const IS_MAC = /mac|iphone|ipad/i.test(PLATFORM);
const IS_WINDOWS = /win/i.test(PLATFORM);

/** On a Mac the browser's own Cmd keys do it all. */
export const CLIPBOARD_KEYS: Record<ClipboardKeys, { copy: string; paste: string }> = IS_MAC
  ? { shell: { copy: 'Cmd C', paste: 'Cmd V' }, line: { copy: 'Cmd C', paste: 'Cmd V' } }
  : {
      shell: IS_WINDOWS ? { copy: 'Ctrl C, Ctrl Shift C', paste: 'Ctrl V, Ctrl Shift V' } : { copy: 'Ctrl Shift C', paste: 'Ctrl Shift V' },
      line: { copy: 'Ctrl C, Ctrl Shift C', paste: 'Ctrl V, Ctrl Shift V' },
    };

/** Is this key left to the browser for pasting? Handles copying itself. Call it for keydown events. */
export function clipboardKey(terminal: Terminal, event: KeyboardEvent, keys: ClipboardKeys): boolean {
  if (IS_MAC || !event.ctrlKey || event.altKey || event.metaKey) return false;
  const name = event.key.toLowerCase();
  const plain = keys === 'line' || IS_WINDOWS;
  if (name === 'v') return event.shiftKey || plain;
  if (name !== 'c' || !(event.shiftKey || (plain && terminal.hasSelection()))) return false;
  event.preventDefault();
  if (terminal.hasSelection()) {
    const text = terminal.getSelection();
    // With the selection gone, the next Ctrl C interrupts.
    terminal.clearSelection();
    void copyText(text);
  }
  return true;
}

/** Text that xterm.js itself takes from a composition, and text that a paste event has already delivered. */
const TAKEN = /^(?:insertCompositionText|insertFromComposition|deleteCompositionText|insertFromPaste)$/;

/**
 * Types text without key events exactly once. Call it before the terminal opens in the element, since its listener must be the first. Returns a
 * function that removes it.
 */
export function takeTextWithoutKeys(terminal: Terminal, element: HTMLElement): () => void {
  /** The last key has been sent: the text that it puts into the field is no other. */
  let keyed = false;
  /** xterm.js takes what stands in the field right after a composition. */
  let composed = false;
  const byKey = terminal.onKey(() => {
    keyed = true;
  });
  const listeners = new AbortController();
  const on = <K extends keyof HTMLElementEventMap>(type: K, listener: (event: HTMLElementEventMap[K]) => void): void =>
    element.addEventListener(type, listener, { capture: true, signal: listeners.signal });
  const forget = (): void => {
    keyed = false;
  };
  on('keydown', forget);
  on('keyup', forget);
  on('focusout', forget);
  on('compositionend', () => {
    composed = true;
    setTimeout(() => {
      composed = false;
    });
  });
  on('input', (event) => {
    const { inputType, data, isComposing } = event as InputEvent;
    const field = event.target as HTMLTextAreaElement;
    if (isComposing || composed || TAKEN.test(inputType ?? '')) return;
    event.stopImmediatePropagation();
    if (!keyed) {
      const text = textOf(inputType, data);
      if (text) terminal.input(text);
    }
    keyed = false;
    if (!terminal.options.screenReaderMode) field.value = '';
  });
  return () => {
    byKey.dispose();
    listeners.abort();
  };
}

function textOf(inputType: string, data: string | null): string {
  if (inputType === 'insertLineBreak' || inputType === 'insertParagraph') return '\r';
  if (inputType === 'deleteContentBackward') return '\x7f';
  if (inputType === 'deleteWordBackward') return '\x17';
  return inputType.startsWith('insert') ? (data ?? '').replace(/\r?\n/g, '\r') : '';
}
