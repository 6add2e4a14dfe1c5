/** Links in a terminal: memory addresses, which lead to the map, and web addresses, which may span several rows. */
import type { IDisposable, ILink, Terminal } from '@xterm/xterm';
import { addressesIn } from './addresses';

/** Addresses in the text become links if `find` has an action for them. */
export function linkAddresses(terminal: Terminal, find: (address: number, inHost: boolean) => (() => void) | undefined): IDisposable {
  return terminal.registerLinkProvider({
    provideLinks(y, callback) {
      const text = terminal.buffer.active.getLine(y - 1)?.translateToString(true) ?? '';
      const links = addressesIn(text).flatMap(({ text: digits, at, address, inHost }) => {
        const activate = find(address, inHost);
        if (!activate) return [];
        return [{ text: digits, range: { start: { x: at + 1, y }, end: { x: at + digits.length, y } }, activate }];
      });
      callback(links);
    },
  });
}

const PAGE_ADDRESS = /https?:\/\/[^\s"'<>`]*[^\s"'<>`.,:;!?)\]}]/g;

/** Opens in a new tab: the machine here keeps running. */
export function linkPages(terminal: Terminal): IDisposable {
  return terminal.registerLinkProvider({
    provideLinks(y, callback) {
      const { first, text } = wrappedLine(terminal, y - 1);
      const { cols } = terminal;
      const place = (at: number): { x: number; y: number } => ({ x: (at % cols) + 1, y: first + Math.floor(at / cols) + 1 });
      const links: ILink[] = [...text.matchAll(PAGE_ADDRESS)].map(({ 0: url, index }) => ({
        text: url,
        range: { start: place(index), end: place(index + url.length - 1) },
        activate: () => void window.open(url, '_blank', 'noopener'),
      }));
      callback(links);
    },
  });
}

/** The rows that row y belongs to as one text, each of them filled up to its width. */
function wrappedLine(terminal: Terminal, y: number): { first: number; text: string } {
  const buffer = terminal.buffer.active;
  let first = y;
  while (first > 0 && buffer.getLine(first)?.isWrapped) first--;
  let text = '';
  for (let row = first; row === first || buffer.getLine(row)?.isWrapped; row++) text += buffer.getLine(row)?.translateToString(false) ?? '';
  return { first, text };
}
