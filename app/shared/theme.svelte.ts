/** Light or dark: the system's setting until the person chooses, which the browser then remembers. */
type Theme = 'dark' | 'light';
const KEY = 'memslot-lab theme';

const system = matchMedia('(prefers-color-scheme: light)');

class ThemeState {
  /** Changes with every switch, so that canvases and terminals read the tokens again. */
  current = $state<Theme>('dark');
}
export const theme = new ThemeState();

function stored(): Theme | undefined {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'dark' || value === 'light' ? value : undefined;
  } catch {
    return undefined;
  }
}

function apply(): void {
  const chosen = stored();
  if (chosen) document.documentElement.dataset.theme = chosen;
  theme.current = chosen ?? (system.matches ? 'light' : 'dark');
}

export function applyStoredTheme(): void {
  apply();
  system.addEventListener('change', apply);
  // Paper is light.
  matchMedia('print').addEventListener('change', ({ matches }) => {
    if (!matches) delete document.documentElement.dataset.theme;
    apply();
    if (!matches) return;
    document.documentElement.dataset.theme = 'light';
    theme.current = 'light';
  });
}

export function toggleTheme(): void {
  const next: Theme = theme.current === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  theme.current = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Storage is blocked: the choice lasts as long as the page.
  }
}

/** The value of a token as the current theme has it: a canvas does not know light-dark(). */
export function token(name: string): string {
  const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const [, light, dark] = /^light-dark\(\s*([^,]+?)\s*,\s*([^)]+?)\s*\)$/.exec(value) ?? [];
  return (theme.current === 'light' ? light : dark) ?? value;
}
