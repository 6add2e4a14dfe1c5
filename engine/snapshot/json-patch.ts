/**
 * The difference between two JSON values, short: `[value]` is a new value, `0` a deleted member, an object the members (or elements, if two lists
 * have the same length) that differ, each with its own patch. undefined: no difference.
 */
import { Refused } from './container';

export type Patch = readonly [unknown] | 0 | { readonly [member: string]: Patch };

/** Deeper than any state of a machine. */
const DEEPEST = 16;

export function diff(from: unknown, to: unknown): Patch | undefined {
  if (!isContainer(from) || !isContainer(to) || !alike(from, to)) return Object.is(from, to) ? undefined : [to];
  const members: [string, Patch][] = [];
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) members.push([key, 0]);
  for (const [key, value] of Object.entries(to)) {
    const patch = Object.hasOwn(from, key) ? diff(from[key], value) : ([value] as const);
    if (patch !== undefined) members.push([key, patch]);
  }
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

/** Throws Refused if the patch, which is untrusted, does not fit this value. */
export function patched(from: unknown, patch: unknown, at: string, depth = 0): unknown {
  if (patch === undefined) return from;
  if (Array.isArray(patch) && patch.length === 1) return patch[0];
  if (!isContainer(patch) || Array.isArray(patch) || !isContainer(from) || depth > DEEPEST) throw new Refused(`${at}: it fits no machine`);
  const members = new Map(Object.entries(from));
  for (const [key, inner] of Object.entries(patch)) {
    if (Array.isArray(from) && !Object.hasOwn(from, key)) throw new Refused(`${at}: it has no element ${JSON.stringify(key.slice(0, 20))}`);
    if (inner === 0 && !Array.isArray(from)) members.delete(key);
    else if (!members.has(key) && !Array.isArray(inner)) throw new Refused(`${at}: it has no member ${JSON.stringify(key.slice(0, 20))}`);
    else members.set(key, patched(members.get(key), inner, at, depth + 1));
  }
  return Array.isArray(from) ? [...members.values()] : Object.fromEntries(members);
}

const isContainer = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const alike = (a: Record<string, unknown>, b: Record<string, unknown>): boolean =>
  Array.isArray(a) ? Array.isArray(b) && a.length === b.length : !Array.isArray(b);
