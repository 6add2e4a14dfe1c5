/** The page's arrangement for the window's size, one of six, and the pane sizes set by the splitters. */

/**
 * `phone`: one pane at a time, the page scrolls. `rail`: one pane at a time in a window too short for lanes over panes.
 * `tablet`, `short`, `desktop`, `wide`: map over history over panes, which get more as there is more room.
 */
export type View = 'phone' | 'rail' | 'tablet' | 'short' | 'desktop' | 'wide';

export interface Sizes {
  /** px */
  map: number;
  history: number;
  terminals: number;
  middle: number;
}

export type Limits = Record<keyof Sizes, { min: number; max: number }>;

const NONE: Sizes = { map: 0, history: 0, terminals: 0, middle: 0 };
const DEFAULTS: Record<View, Sizes> = {
  phone: NONE,
  rail: NONE,
  tablet: { map: 268, history: 62, terminals: 0, middle: 384 },
  // 80 columns of the smallest letters
  short: { map: 268, history: 62, terminals: 558, middle: 390 },
  desktop: { map: 338, history: 76, terminals: 604, middle: 384 },
  wide: { map: 372, history: 82, terminals: 640, middle: 420 },
};
const LEAST: Sizes = { map: 200, history: 56, terminals: 320, middle: 330 };
const MOST_HISTORY = 200;
/** px: head, status bar and the lines between the rows */
const FRAME = 74;
/** minimum px of a lower row, regardless of the splitters */
const LEAST_ROW = 160;
/** px that the inspector keeps; of a guide's column where it has one */
const INSPECTOR = 280;
const GUIDE = 376;

const KEY = 'memslot-lab sizes';
const WIDE_KEY = 'memslot-lab wide pane';
/** Arrangements whose lower row the inspector can have to itself. */
const WIDENS: readonly View[] = ['short', 'desktop', 'wide'];

export function viewOf(width: number, height: number): View {
  if (width < 640 || (width < 720 && height >= 560)) return 'phone';
  // Two rows of panes under map and history need more height than one.
  if (height < (width < 1200 ? 700 : 560)) return 'rail';
  if (width < 1200) return 'tablet';
  if (width < 1360 || height < 800) return 'short';
  return width < 1680 ? 'desktop' : 'wide';
}

const clamp = (value: number, { min, max }: { min: number; max: number }): number => Math.min(Math.max(min, max), Math.max(min, value));

/** The sizes closest to the wanted ones with every pane usable in a window of this size, and the limits of each splitter. */
export function arrange(view: View, width: number, height: number, guide: boolean, wanted: Sizes): { sizes: Sizes; limits: Limits } {
  const rows = height - FRAME - (view === 'tablet' ? 2 * LEAST_ROW : LEAST_ROW);
  const ofHistory = { min: LEAST.history, max: Math.min(MOST_HISTORY, rows - LEAST.map) };
  const history = clamp(wanted.history, ofHistory);
  const ofMap = { min: LEAST.map, max: rows - history };
  // A tablet has the inspector in a row of its own, and its terminals take what the change set leaves.
  const columns = view === 'tablet' ? width : width - INSPECTOR - (guide && view === 'wide' ? GUIDE : 0);
  const middle = clamp(wanted.middle, { min: LEAST.middle, max: columns - LEAST.terminals });
  const ofTerminals = { min: LEAST.terminals, max: columns - middle };
  const terminals = view === 'tablet' ? LEAST.terminals : clamp(wanted.terminals, ofTerminals);
  return {
    sizes: { map: clamp(wanted.map, ofMap), history, terminals, middle },
    limits: { map: ofMap, history: ofHistory, terminals: ofTerminals, middle: { min: LEAST.middle, max: columns - terminals } },
  };
}

export class Viewport {
  width = $state(innerWidth);
  height = $state(innerHeight);
  /** Is a guide beside the panes? It takes room from them where it has a column of its own. */
  guide = $state(false);
  /** The terminals take the height that map and history can spare, where they have one row of panes with others. */
  enlarged = $state(false);
  #chosen = $state<Partial<Record<View, Partial<Sizes>>>>(restore());
  view = $derived(viewOf(this.width, this.height));
  /** One pane at a time, chosen in a bar. */
  single = $derived(this.view === 'phone' || this.view === 'rail');
  #arranged = $derived.by(() => {
    const sizes = { ...DEFAULTS[this.view], ...(this.view === 'short' && this.width >= 1360 ? { terminals: 604, middle: 384 } : {}) };
    const least = this.enlarged && this.view === 'short' ? { map: LEAST.map, history: LEAST.history } : {};
    return arrange(this.view, this.width, this.height, this.guide, { ...sizes, ...this.#chosen[this.view], ...least });
  });
  sizes = $derived(this.#arranged.sizes);
  limits = $derived(this.#arranged.limits);

  #widened = $state<Partial<Record<View, boolean>>>(restoreWide());
  canWiden = $derived(WIDENS.includes(this.view));
  /** The inspector has the lower row to itself; remembered for each arrangement. */
  widened = $derived(this.canWiden && (this.#widened[this.view] ?? false));

  constructor() {
    this.#mark();
  }

  widen(on: boolean): void {
    if (!this.canWiden) return;
    this.#widened = { ...this.#widened, [this.view]: on };
    keep(WIDE_KEY, this.#widened);
  }

  follow(): () => void {
    const resized = () => {
      this.width = innerWidth;
      this.height = innerHeight;
      this.#mark();
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

  /** For the styles: the arrangement depends on width and height together, which a style cannot express. */
  #mark(): void {
    document.documentElement.dataset.view = this.view;
  }

  #keep(): void {
    keep(KEY, this.#chosen);
  }
}

function keep(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is blocked: it lasts as long as the page.
  }
}

function restoreWide(): Partial<Record<View, boolean>> {
  try {
    const kept = JSON.parse(localStorage.getItem(WIDE_KEY) ?? '{}') as Record<string, unknown> | null;
    return Object.fromEntries(WIDENS.filter((view) => kept?.[view] === true).map((view) => [view, true]));
  } catch {
    return {};
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
