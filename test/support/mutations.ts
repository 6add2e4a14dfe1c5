/** Hostile changes to texts, JSON and bytes, for input from links and files. */
import type { Random } from './random';

const hostileValues: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1,
  0.5,
  4095,
  2 ** 31,
  2 ** 32,
  2 ** 46,
  2 ** 53,
  1e300,
  '',
  'x'.repeat(100_000),
  '<img src=x onerror=alert(1)>',
  '__proto__',
  'constructor',
  [],
  {},
  [[]],
  { __proto__: { size: 1 } },
  '0x1000',
  'ram.a',
  '\u0000',
  '\ud800',
]; // prettier-ignore

/** Every container of a JSON value with its keys. */
function containers(value: unknown): { holder: Record<string, unknown>; key: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...containers(holder[key])]);
}

/** Changes, drops or duplicates one to three members of the layout. */
export function mutateValues(text: string, random: Random): string {
  const value: unknown = JSON.parse(text);
  for (let n = 1 + random.below(3); n > 0; n--) {
    const all = containers(value);
    if (all.length === 0) break;
    const { holder, key } = random.of(all);
    const old = holder[key];
    const kind = random.below(5);
    if (kind === 0) delete holder[key];
    else if (kind === 1 && typeof old === 'number') holder[key] = old + random.of([-1, 1, 4096, -4096, 2 ** 20, 2 ** 40]);
    else if (kind === 2 && Array.isArray(holder)) holder.push(structuredClone(old));
    else if (kind === 3) holder[`${key}x`] = old;
    else holder[key] = random.of(hostileValues);
  }
  return JSON.stringify(value);
}

export function mutateCharacters(text: string, random: Random, alphabet: string): string {
  let result = text;
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = random.below(result.length + 1);
    const kind = random.below(4);
    const character = alphabet[random.below(alphabet.length)]!;
    if (kind === 0) result = result.slice(0, at);
    else if (kind === 1) result = result.slice(0, at) + result.slice(at + 1 + random.below(8));
    else if (kind === 2) result = result.slice(0, at) + character + result.slice(at);
    else result = result.slice(0, at) + character + result.slice(at + 1);
  }
  return result;
}

export const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
export const JSON_CHARACTERS = '{}[]",:0123456789-eE.\\u truefalsn';

/** Flips, cuts, duplicates or overwrites a few bytes. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  let result = bytes.slice();
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = random.below(result.length + 1);
    const kind = random.below(5);
    if (kind === 0) result = result.slice(0, at);
    else if (kind === 1) result = Uint8Array.from([...result.subarray(0, at), random.below(256), ...result.subarray(at)]);
    else if (kind === 2) result.fill(random.of([0, 0x7f, 0x80, 0xff]), at, at + 1 + random.below(12));
    else if (at < result.length) result[at]! ^= 1 << random.below(8);
  }
  return result;
}
