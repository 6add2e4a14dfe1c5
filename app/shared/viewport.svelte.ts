/** Which of the page's five arrangements the window has room for, and the sizes the splitters gave its panes. */
export type View = 'phone' | 'tablet' | 'short' | 'desktop' | 'wide';

export interface Sizes {
  /** px */
  map: number;
  history: number;
  terminals: number;
  middle: number;
}

const DEFAULTS: Record<View, Sizes> = {
  phone: { map: 0, history: 0, terminals: 0, middle: 0 },
  tablet: { map: 268, history: 62, terminals: 0, middle: 384 },
  short: { map: 268, history: 62, terminals: 490, middle: 390 },
  desktop: { map: 338, history: 76, terminals: 604, middle: 384 },
  wide: { map: 372, history: 82, terminals: 640, middle: 420 },
};

const KEY = 'memslot-lab sizes';

function viewOf(width: number, height: number): View {
  if (width < 720) return 'phone';
  if (width < 1200) return 'tablet';
  if (width < 1360 || height < 800) return 'short';
  return width < 1680 ? 'desktop' : 'wide';
}

export class Viewport {
  width = $state(innerWidth);
  height = $state(innerHeight);
  #chosen = $state<Partial<Record<View, Partial<Sizes>>>>(restore());
  view = $derived(viewOf(this.width, this.height));
  sizes: Sizes = $derived.by(() => {
    const sizes = { ...DEFAULTS[this.view], ...(this.view === 'short' && this.width >= 1360 ? { terminals: 604, middle: 384 } : {}) };
    return { ...sizes, ...this.#chosen[this.view] };
  });

  follow(): () => void {
    const resized = () => {
      this.width = innerWidth;
      this.height = innerHeight;
    };
    addEventListener('resize', resized);
    return () => removeEventListener('resize', resized);
  }

  set(pane: keyof Sizes, value: number): void {
    this.#chosen[this.view] = { ...this.#chosen[this.view], [pane]: value };
    this.#keep();
  }

  reset(pane: keyof Sizes): void {
    const { [pane]: _, ...rest } = this.#chosen[this.view] ?? {};
    this.#chosen[this.view] = rest;
    this.#keep();
  }

  #keep(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#chosen));
    } catch {
      // Storage is blocked: the sizes last as long as the page.
    }
  }
}

function restore(): Partial<Record<View, Partial<Sizes>>> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    const found: Partial<Record<View, Partial<Sizes>>> = {};
    for (const view of Object.keys(DEFAULTS) as View[]) {
      const sizes = (kept as Record<string, unknown>)[view];
      if (typeof sizes !== 'object' || sizes === null) continue;
      const numbers = Object.entries(sizes).filter(([key, value]) => key in DEFAULTS[view] && typeof value === 'number' && value >= 40);
      found[view] = Object.fromEntries(numbers);
    }
    return found;
  } catch {
    return {};
  }
}
