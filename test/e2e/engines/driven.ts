/**
 * A browser that Playwright does not drive, reduced to what the stories need. Firefox and WebKitGTK take the same input actions: those of the
 * WebDriver standard.
 */
export interface Driven {
  /** Goes to the address and waits until the page has loaded. */
  go(url: string): Promise<void>;
  /** The value of an expression in the page, as JSON; promises are awaited. */
  evaluate<T>(expression: string): Promise<T>;
  /** "Input sources" of W3C WebDriver, section 17. */
  perform(actions: readonly object[]): Promise<void>;
  /** Size of the page in CSS pixels, as close as the window allows. */
  resize(width: number, height: number): Promise<void>;
  /** Errors in the page, as far as the browser reports them. */
  readonly errors: readonly string[];
  close(): Promise<void>;
}

const ENTER = '\uE007';
const PAUSE_MS = 50;
const PATIENCE_MS = 30_000;

/** Presses each character in turn; a line feed is Enter. */
export async function type(browser: Driven, text: string): Promise<void> {
  const keys = [...text].map((character) => (character === '\n' ? ENTER : character));
  const actions = keys.flatMap((value) => [
    { type: 'keyDown', value },
    { type: 'keyUp', value },
  ]);
  await browser.perform([{ type: 'key', id: 'keyboard', actions }]);
}

interface Point {
  x: number;
  y: number;
}

/** Presses the mouse at the first point, moves it over the others, releases it at the last. */
export async function drag(browser: Driven, [from, ...way]: readonly [Point, ...Point[]]): Promise<void> {
  const move = ({ x, y }: Point) => ({ type: 'pointerMove', x: Math.round(x), y: Math.round(y), duration: 40 });
  const actions = [move(from), { type: 'pointerDown', button: 0 }, ...way.map(move), { type: 'pointerUp', button: 0 }];
  await browser.perform([{ type: 'pointer', id: 'mouse', parameters: { pointerType: 'mouse' }, actions }]);
}

/** Clicks the middle of the first element that matches the selector, and whose text does. */
export async function click(browser: Driven, selector: string, text = ''): Promise<void> {
  const at = await eventually(browser, `the button ${selector} ${text}`, () =>
    browser.evaluate<Point | undefined>(`(() => {
      const found = [...document.querySelectorAll(${JSON.stringify(selector)})]
        .find((each) => each.textContent.includes(${JSON.stringify(text)}) && each.getClientRects().length && !each.disabled);
      const box = found?.getBoundingClientRect();
      return box && { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    })()`),
  );
  await drag(browser, [at]);
}

/** Polls until the answer is not false, null or undefined. */
export async function eventually<T>(browser: Driven, what: string, ask: () => Promise<T | undefined | null | false>): Promise<T> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    const answer = await ask();
    if (answer !== undefined && answer !== null && answer !== false) return answer;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`waited for ${what}; the console says:\n${await browser.evaluate('window.lab?.console.text() ?? ""')}`);
}
