/**
 * The page inside another one: `?embed` in its address leaves out parts for which a course page has no room, and postMessage reports progress in a
 * guide to the surrounding page. docs/embedding.md has the messages. No messages are accepted.
 */

/** Read once: it does not change while the page is open. */
export const embedded = new URLSearchParams(location.search).has('embed');

export type Report =
  /** A machine runs. */
  | { event: 'ready'; guest: string }
  /** A guide was opened; null: it was closed. */
  | { event: 'guide'; guide: string | null; steps: string[]; done: string[] }
  /** A step was done or undone. index counts from 0. */
  | { event: 'step'; guide: string; step: string; index: number; of: number; done: boolean };

/** Posts to the surrounding page, on any site: it is told only which steps are done. In a separate tab, this does nothing. */
export function report(what: Report): void {
  if (window.parent !== window) window.parent.postMessage({ source: 'memslot-lab', version: 1, ...what }, '*');
}

/** The same page in a separate tab, with its current state. */
export function ownTab(at: Location): string {
  const url = new URL(at.href);
  url.searchParams.delete('embed');
  return tidy(url);
}

/** An address without the "=" that URLSearchParams gives to a name without a value. */
export const tidy = (url: URL): string => url.href.replace(/([?&][^=&#]+)=(?=[&#]|$)/g, '$1');
