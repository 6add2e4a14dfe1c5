/**
 * The page inside another one: `?embed` in its address leaves out what a course page has no room for, and what happens in a guide is reported
 * to the page around it by postMessage. docs/embedding.md has the messages. Nothing is taken from that page.
 */

/** Read once: the address does not lose it while the page lives. */
export const embedded = new URLSearchParams(location.search).has('embed');

export type Report =
  /** A machine runs. */
  | { event: 'ready'; guest: string }
  /** A guide was opened; null: none is open any more. */
  | { event: 'guide'; guide: string | null; steps: string[]; done: string[] }
  /** A step was done, or taken back. index counts from 0. */
  | { event: 'step'; guide: string; step: string; index: number; of: number; done: boolean };

/** To the page around this one, whoever that is: it learns which steps are done, and nothing else. Nowhere else, and in a tab of its own nobody hears it. */
export function report(what: Report): void {
  if (window.parent !== window) window.parent.postMessage({ source: 'memslot-lab', version: 1, ...what }, '*');
}

/** The same page in a tab of its own, with what it shows now. */
export function ownTab(at: Location): string {
  const url = new URL(at.href);
  url.searchParams.delete('embed');
  return tidy(url);
}

/** An address without the "=" that URLSearchParams gives to a name without a value. */
export const tidy = (url: URL): string => url.href.replace(/([?&][^=&#]+)=(?=[&#]|$)/g, '$1');
