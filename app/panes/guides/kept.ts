/** The guides' figures, stored in this browser between visits, with their date and build of the page. */
import { GUIDE_IDS, type GuideId, type Measure } from './types';

export interface KeptMeasures {
  /** ms since 1970: of its last figure */
  at: number;
  build: string;
  measures: Readonly<Record<string, Measure>>;
}

export type Kept = Readonly<Partial<Record<GuideId, KeptMeasures>>>;

const KEY = 'memslot-lab guides';
/** The build's own name: the hash of its script. */
export const BUILD = /-([\w-]+)\.js$/.exec(new URL(import.meta.url).pathname)?.[1] ?? 'development';

/** Data in any other format counts as missing. */
export function readKept(text: string | null): Kept {
  try {
    const kept: unknown = JSON.parse(text ?? '{}');
    return Object.fromEntries(GUIDE_IDS.flatMap((id) => (isKept(field(kept, id)) ? [[id, field(kept, id)]] : [])));
  } catch {
    return {};
  }
}

export function loadKept(): Kept {
  try {
    return readKept(localStorage.getItem(KEY));
  } catch {
    // Storage is blocked: nothing was kept.
    return {};
  }
}

export function saveKept(kept: Kept): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // Storage is blocked or full: the figures last until the page closes.
  }
}

function isKept(value: unknown): value is KeptMeasures {
  const measures = field(value, 'measures');
  return (
    typeof field(value, 'at') === 'number' &&
    typeof field(value, 'build') === 'string' &&
    isObject(measures) &&
    Object.values(measures).every((measure) => isObject(measure) && Object.values(measure).every(Number.isFinite))
  );
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const field = (value: unknown, name: string): unknown => (isObject(value) ? (value as Record<string, unknown>)[name] : undefined);
