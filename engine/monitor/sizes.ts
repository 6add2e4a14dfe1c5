/** Sizes and integers in option lists, as QEMU's opts visitor parses them. */

const FACTOR: Record<string, number> = { '': 0, b: 0, k: 10, m: 20, g: 30, t: 40, p: 50, e: 60 };

/**
 * "64M", "1.5G", "0x200000", "2097152" -> bytes (at most 2^53 - 1: memory here is far smaller), undefined if it is not a size.
 * A bare "010" is decimal, as in QEMU (strtosz).
 */
export function parseSize(text: string): number | undefined {
  const hex = /^\s*\+?0[xX]([0-9a-fA-F]+)([bkmgtpe]?)$/i.exec(text);
  if (hex) {
    // "0x1e" ends in a digit; the regular expression prefers digits, like strtosz.
    return bounded(BigInt(`0x${hex[1]}`) << BigInt(FACTOR[hex[2]!.toLowerCase()]!));
  }
  const decimal = /^\s*\+?(\d+)(\.\d*)?([bkmgtpe]?)$/i.exec(text);
  if (!decimal) return undefined;
  const shift = FACTOR[decimal[3]!.toLowerCase()]!;
  const whole = BigInt(decimal[1]!) << BigInt(shift);
  const fraction = decimal[2] && decimal[2].length > 1 ? Number(`0${decimal[2]}`) : 0;
  if (fraction > 0 && shift === 0) return undefined;
  const part = bounded(whole);
  return part === undefined ? undefined : part + Math.trunc(fraction * 2 ** shift + 0.5);
}

function bounded(value: bigint): number | undefined {
  return value <= 0x1f_ffff_ffff_ffffn ? Number(value) : undefined;
}

/** An integer of QemuOpts ("0x...", octal with a leading 0, decimal, sign), undefined if it is not one or exceeds 64 bits. */
export function parseInteger(text: string): bigint | undefined {
  const match = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(text);
  if (!match) return undefined;
  const digits = match[2]!;
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  if (value > 0xffff_ffff_ffff_ffffn) return undefined;
  return match[1] === '-' ? -value : value;
}

/** Identifiers of objects and devices: letters, digits, '-', '.', '_', starting with a letter. */
export const isIdentifier = (text: string): boolean => /^[A-Za-z][A-Za-z0-9._-]*$/.test(text);

export const IDENTIFIER_RULE = "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.";

/** Bytes in the form that our commands accept: with the largest suffix that divides it, 64M, 640k, 4096. */
export function shortSize(bytes: number): string {
  for (const [suffix, factor] of [
    ['T', 2 ** 40],
    ['G', 2 ** 30],
    ['M', 2 ** 20],
    ['k', 2 ** 10],
  ] as const) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${suffix}`;
  }
  return String(bytes);
}

/** 0x and at least `digits` hex digits. */
export const hex = (value: number | bigint, digits = 0): string => `0x${value.toString(16).padStart(digits, '0')}`;
