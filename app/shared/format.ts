/** Numbers as the page writes them: hex without padding, sizes in KiB to TiB, counts with thousands separators. */
export const KiB = 2 ** 10;
export const MiB = 2 ** 20;
export const GiB = 2 ** 30;
export const TiB = 2 ** 40;
export const PAGE = 4096;

export const hex = (value: number): string => `0x${value.toString(16)}`;

const UNITS: readonly [number, string][] = [
  [TiB, 'TiB'],
  [GiB, 'GiB'],
  [MiB, 'MiB'],
  [KiB, 'KiB'],
];

export function size(bytes: number): string {
  for (const [unit, name] of UNITS) {
    if (bytes >= unit) return `${trim(bytes / unit)} ${name}`;
  }
  return `${bytes} B`;
}

function trim(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

const counts = new Intl.NumberFormat('en');
export const count = (value: number): string => counts.format(value);

export const plural = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;

const SUFFIX: Record<string, number> = { k: KiB, m: MiB, g: GiB, t: TiB };

/** Parses an address or a size as the monitor does: 0x..., decimal, 64M, 4G. undefined if it is not a number. */
export function parseNumber(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^0x[0-9a-f]{1,13}$/i.test(trimmed)) return Number.parseInt(trimmed, 16);
  const match = /^(\d{1,15})(?:([kmgt])(?:i?b)?)?$/i.exec(trimmed);
  if (!match) return undefined;
  const value = Number(match[1]) * (SUFFIX[match[2]?.toLowerCase() ?? ''] ?? 1);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A size in a form that the monitor accepts: 64M if it is a whole number, otherwise hex. */
export function sizeInput(bytes: number): string {
  for (const [unit, name] of UNITS) if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}${name[0]}`;
  return hex(bytes);
}

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const date = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' });

/** "26 Nov 2026, 14:31", as this browser writes it. */
export const fullDate = (ms: number): string => full.format(ms);

/** "14:02" */
export const clock = (ms: number): string => time.format(ms);

/** "14:02" today, else "18 Nov". */
export function when(ms: number, now: number): string {
  return new Date(ms).toDateString() === new Date(now).toDateString() ? time.format(ms) : date.format(ms);
}

/** The engine writes one line without a full stop; the page writes sentences. */
export function sentence(text: string): string {
  const capital = /^[a-z]+\b/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

/** "4 <-> 5" as "4 ↔ 5", "4 -> 0x0" as "4 → 0x0". */
export const arrows = (title: string): string => title.replaceAll('<->', '↔').replaceAll('->', '→');

/** The name without what is in brackets: "dimm1 (mem1)" is "dimm1" where there is little room. */
export const shortName = (name: string): string => name.replace(/ \(.*\)$/, '');
