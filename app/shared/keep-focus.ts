/**
 * Keeps the focus from getting lost. If the focused element disappears (an entry is dropped, a form is sent) or has nothing left to do (Commit, the
 * last undo), the focus goes to the next element in the same list, otherwise to `fallback`. A click on an empty place still removes it. A list with
 * `data-own-focus` handles its own focus later, since its next element does not exist yet.
 *
 * A greyed button can have the focus, so that its reason can be read. It yields it, with `data-yields`, only if it was greyed by what the person did
 * on it.
 */
export function keepFocus(fallback: (lost: HTMLElement) => HTMLElement | undefined): () => void {
  let last: { element: HTMLElement; list: Element | undefined; index: number; used: boolean } | undefined;

  const focused = ({ target }: FocusEvent): void => {
    if (!(target instanceof HTMLElement)) return;
    const item = target.closest('li, tr');
    const list = item?.parentElement ?? undefined;
    last = { element: target, list, index: item && list ? [...list.children].indexOf(item) : 0, used: false };
  };
  const pressed = ({ type, target }: Event): void => {
    if (type === 'wheel' || !last?.element.contains(target as Node)) last = undefined;
  };
  const used = ({ target }: Event): void => {
    if (last?.element.contains(target as Node) && !yields(last.element)) last.used = true;
  };
  const spent = ({ element, used }: NonNullable<typeof last>): boolean => used && element === document.activeElement && yields(element);
  const lost = (): boolean => last !== undefined && (spent(last) || (nowhere() && !usable(last.element)));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = (): void => {
    timer = undefined;
    if (!last || !lost()) return;
    const { element, list, index } = last;
    last = undefined;
    if (list?.hasAttribute('data-own-focus')) return;
    (inList(list, index) ?? fallback(element))?.focus();
  };
  // A pane that handles its own focus goes first: it does so once the page is rendered.
  const observer = new MutationObserver(() => {
    if (timer === undefined && lost()) timer = setTimeout(look);
  });
  observer.observe(document.body, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ['disabled', 'hidden', 'data-yields'],
  });
  document.addEventListener('focusin', focused);
  for (const input of USING) document.addEventListener(input, used, true);
  for (const input of POINTING) document.addEventListener(input, pressed, { capture: true, passive: true });
  return () => {
    clearTimeout(timer);
    observer.disconnect();
    document.removeEventListener('focusin', focused);
    for (const input of USING) document.removeEventListener(input, used, true);
    for (const input of POINTING) document.removeEventListener(input, pressed, true);
  };
}

/** A focused row that is scrolled out of a long table was not lost by a key. */
const POINTING = ['pointerdown', 'wheel'];
const USING = ['keydown', 'click'];

/** A disabled button stays the active element for a moment, and gets no events. */
const nowhere = (): boolean => {
  const active = document.activeElement;
  return active === null || active === document.body || !usable(active);
};

const usable = (element: Element): boolean => element.isConnected && element.checkVisibility() && !element.matches(':disabled');

const yields = (element: Element): boolean => element.hasAttribute('data-yields');

/** The element at the position of the lost one, or before it. */
function inList(list: Element | undefined, index: number): HTMLElement | undefined {
  if (!list || !usable(list)) return undefined;
  const item = list.children[Math.min(index, list.children.length - 1)];
  if (item instanceof HTMLElement && item.hasAttribute('tabindex')) return item;
  return item?.querySelector<HTMLElement>('button:not(:disabled, [data-yields]), [tabindex="0"]') ?? undefined;
}
