/** One tab stop for many buttons: arrow keys, Home and End move between those that match, in the order of the page. */
import type { Attachment } from 'svelte/attachments';

const STEPS: Record<string, -1 | 1> = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 };

export const roving: Attachment<HTMLElement> = (element) => {
  const buttons = (): HTMLElement[] => [...element.querySelectorAll<HTMLElement>('button')];
  /** Which of them Tab reaches: the one that has or had the focus, else the one that is marked, else the first. */
  const settle = (wanted?: HTMLElement): void => {
    const all = buttons();
    const stop = wanted ?? all.find((button) => button.dataset.stop === 'true') ?? all[0];
    for (const button of all) button.tabIndex = button === stop ? 0 : -1;
  };
  const onkeydown = (event: KeyboardEvent): void => {
    const all = buttons();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const step = STEPS[event.key];
    const next = event.key === 'Home' ? 0 : event.key === 'End' ? all.length - 1 : step === undefined ? -1 : at + step;
    if (at < 0 || next < 0 || next >= all.length) return;
    event.preventDefault();
    all[next]?.focus();
  };
  const onfocusin = (event: FocusEvent): void => settle((event.target as HTMLElement).closest('button') ?? undefined);
  // Lines come and go while the guest runs.
  const observer = new MutationObserver(() => {
    if (!element.contains(document.activeElement)) settle();
    else settle((document.activeElement as HTMLElement).closest('button') ?? undefined);
  });
  observer.observe(element, { childList: true, subtree: true });
  element.addEventListener('keydown', onkeydown);
  element.addEventListener('focusin', onfocusin);
  settle();
  return () => {
    observer.disconnect();
    element.removeEventListener('keydown', onkeydown);
    element.removeEventListener('focusin', onfocusin);
  };
};
