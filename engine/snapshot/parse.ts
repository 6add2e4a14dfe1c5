/**
 * Reads a layout from an untrusted source: its size is limited before it is parsed, every member is named and bounded, unknown members are refused,
 * and the result is built anew, member by member.
 */
import { checkLogs, MAX_SLOTS, MOST_BACKENDS, MOST_HOST_MEMORY } from '../machine/index';
import { LAYOUT_FORMAT, LAYOUT_VERSION, type Layout, type LayoutDimm, type LayoutSlot } from './layout';

/** Characters. A layout of 8,000 slots has about 700,000; even one with all slots over bare ranges and all backends has fewer than this. */
export const MAX_LAYOUT_TEXT = 8 * 1024 * 1024;
/** Each bare range has a slot. */
const MAX_BARE = MAX_SLOTS;
const MAX_DIMMS = 32;
const MAX_ID = 64;
/** Limits of watches, and of the characters of each. */
const MAX_BREAKPOINTS = 64;
const MAX_LINE = 400;
const PAGE = 4096;
/** Most bytes of one backing, and of all together. */
const MAX_BACKING = MOST_HOST_MEMORY;
/** Guest-physical addresses end here (46 bits are wired). */
const MAX_GPA = 2 ** 46;

export type ParsedLayout = { ok: true; layout: Layout } | { ok: false; reason: string };

class Wrong extends Error {}

/** Never throws. The reason is one line that names the member at fault. */
export function parseLayout(text: string): ParsedLayout {
  try {
    if (text.length > MAX_LAYOUT_TEXT) throw new Wrong(`it has ${text.length} characters, at most ${MAX_LAYOUT_TEXT} are read`);
    return { ok: true, layout: layoutOf(parseJson(text)) };
  } catch (error) {
    return { ok: false, reason: error instanceof Wrong ? error.message : 'it is nested too deep' };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Wrong('it is not JSON');
    throw error;
  }
}

function layoutOf(value: unknown): Layout {
  // Format and version first, since the rest depends on them.
  const head = object(value, 'layout');
  if (head.get('format') !== LAYOUT_FORMAT) throw new Wrong(`format is ${show(head.get('format'))}, not "${LAYOUT_FORMAT}"`);
  if (head.get('version') !== LAYOUT_VERSION) {
    throw new Wrong(`version is ${show(head.get('version'))}: this program reads version ${LAYOUT_VERSION}`);
  }
  const breakpoints = head.has('breakpoints') ? list(head.get('breakpoints'), 'breakpoints', MAX_BREAKPOINTS, line) : undefined;
  head.delete('breakpoints');
  const members = membersOf(head, 'layout', ['format', 'version', 'machine', 'guest', 'board', 'backends', 'bare', 'dimms', 'memslots']);
  const machine = membersOf(object(members.machine, 'machine'), 'machine', ['ram', 'slots', 'maxmem']);
  const layout: Layout = {
    format: LAYOUT_FORMAT,
    version: LAYOUT_VERSION,
    machine: {
      ram: integer(machine.ram, 'machine.ram', PAGE, MAX_BACKING),
      slots: integer(machine.slots, 'machine.slots', 0, MAX_DIMMS),
      maxmem: integer(machine.maxmem, 'machine.maxmem', 0, MAX_GPA),
    },
    guest: guestName(members.guest),
    board: list(members.board, 'board', MOST_BACKENDS, backing),
    backends: list(members.backends, 'backends', MOST_BACKENDS, backing),
    bare: list(members.bare, 'bare', MAX_BARE, pagedBacking),
    dimms: list(members.dimms, 'dimms', MAX_DIMMS, dimm),
    memslots: list(members.memslots, 'memslots', MAX_SLOTS, slot),
    ...(breakpoints && { breakpoints }),
  };
  checkReferences(layout);
  checkTotals(layout);
  return layout;
}

/** Ids are unique, and references into a backing stay inside it. */
function checkReferences(layout: Layout): void {
  const sizes = new Map<string, number>();
  for (const { id, size } of [...layout.board, ...layout.backends, ...layout.bare]) {
    if (sizes.has(id)) throw new Wrong(`backing "${id}" occurs twice`);
    sizes.set(id, size);
  }
  unique(
    layout.memslots.map((each) => each.slot),
    'memslot',
  );
  unique(
    layout.dimms.map((each) => each.slot),
    'DIMM slot',
  );
  unique(
    layout.dimms.map((each) => each.memdev),
    'DIMM with memdev',
  );
  unique(
    layout.dimms.filter((each) => each.id !== '').map((each) => each.id),
    'DIMM',
  );
  for (const each of layout.dimms) {
    if (!layout.backends.some((backend) => backend.id === each.memdev)) {
      throw new Wrong(`DIMM "${each.id}" names the backend "${each.memdev}", which is not in the layout`);
    }
    if (each.slot >= layout.machine.slots)
      throw new Wrong(`DIMM "${each.id}" has DIMM slot ${each.slot}, but machine.slots is ${layout.machine.slots}`);
  }
  for (const each of layout.memslots) {
    const size = sizes.get(each.backing);
    if (size === undefined) throw new Wrong(`memslot ${each.slot} names the backing "${each.backing}", which is not in the layout`);
    if (each.offset + each.size > Math.ceil(size / PAGE) * PAGE) {
      throw new Wrong(`memslot ${each.slot} ends ${each.offset + each.size} bytes into "${each.backing}", which has ${size}`);
    }
  }
}

/** Each part was bounded when it was read; this bounds their sum. */
function checkTotals({ board, backends, bare, memslots }: Layout): void {
  const total = [...board, ...backends, ...bare].reduce((sum, { size }) => sum + Math.ceil(size / PAGE) * PAGE, 0);
  if (total > MAX_BACKING) throw new Wrong(`its backings take ${total} bytes of host memory, there are ${MAX_BACKING}`);
  try {
    checkLogs(memslots);
  } catch (error) {
    throw new Wrong((error as Error).message);
  }
}

function unique(values: readonly (string | number)[], what: string): void {
  const seen = new Set<string | number>();
  for (const value of values) {
    if (seen.has(value)) throw new Wrong(`${what} ${value} occurs twice`);
    seen.add(value);
  }
}

function backing(value: unknown, at: string): { id: string; size: number } {
  const { id, size } = membersOf(object(value, at), at, ['id', 'size']);
  return { id: identifier(id, `${at}.id`), size: integer(size, `${at}.size`, 1, MAX_BACKING) };
}

function pagedBacking(value: unknown, at: string): { id: string; size: number } {
  const result = backing(value, at);
  return { ...result, size: paged(result.size, `${at}.size`) };
}

function dimm(value: unknown, at: string): LayoutDimm {
  const each = membersOf(object(value, at), at, ['id', 'memdev', 'slot', 'node', 'addr']);
  return {
    id: each.id === '' ? '' : identifier(each.id, `${at}.id`),
    memdev: identifier(each.memdev, `${at}.memdev`),
    slot: integer(each.slot, `${at}.slot`, 0, MAX_DIMMS - 1),
    node: integer(each.node, `${at}.node`, 0, 0),
    addr: integer(each.addr, `${at}.addr`, 0, MAX_GPA - 1),
  };
}

function slot(value: unknown, at: string): LayoutSlot {
  const each = membersOf(object(value, at), at, ['slot', 'flags', 'gpa', 'size', 'backing', 'offset']);
  return {
    slot: integer(each.slot, `${at}.slot`, 0, MAX_SLOTS - 1),
    flags: integer(each.flags, `${at}.flags`, 0, 3),
    gpa: paged(integer(each.gpa, `${at}.gpa`, 0, MAX_GPA - PAGE), `${at}.gpa`),
    size: paged(integer(each.size, `${at}.size`, PAGE, MAX_BACKING), `${at}.size`),
    backing: identifier(each.backing, `${at}.backing`),
    offset: paged(integer(each.offset, `${at}.offset`, 0, MAX_BACKING), `${at}.offset`),
  };
}

// The shapes. Maps, because a member may be called __proto__.

function object(value: unknown, at: string): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Wrong(`${at} is ${show(value)}, not an object`);
  return new Map(Object.entries(value));
}

function membersOf<K extends string>(from: Map<string, unknown>, at: string, names: readonly K[]): Record<K, unknown> {
  for (const name of from.keys()) {
    if (!(names as readonly string[]).includes(name)) throw new Wrong(`${at} has a member ${show(name)} that is not known`);
  }
  const result = {} as Record<K, unknown>;
  for (const name of names) {
    if (!from.has(name)) throw new Wrong(`${at} lacks the member "${name}"`);
    result[name] = from.get(name);
  }
  return result;
}

function list<T>(value: unknown, at: string, most: number, read: (value: unknown, at: string) => T): T[] {
  if (!Array.isArray(value)) throw new Wrong(`${at} is ${show(value)}, not a list`);
  if (value.length > most) throw new Wrong(`${at} has ${value.length} entries, at most ${most} are read`);
  return value.map((each, index) => read(each, `${at}[${index}]`));
}

function integer(value: unknown, at: string, low: number, high: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new Wrong(`${at} is ${show(value)}, not a whole number`);
  if (value < low || value > high) throw new Wrong(`${at} is ${value}, not within ${low} to ${high}`);
  // -0 is 0.
  return value + 0;
}

function line(value: unknown, at: string): string {
  if (typeof value !== 'string' || !/^[ -~]+$/.test(value) || value.length > MAX_LINE)
    throw new Wrong(`${at} is ${show(value)}, not a line of 1 to ${MAX_LINE} printable characters`);
  return value;
}

function paged(value: number, at: string): number {
  if (value % PAGE !== 0) throw new Wrong(`${at} is ${value}, not a multiple of ${PAGE}`);
  return value;
}

function identifier(value: unknown, at: string): string {
  if (typeof value !== 'string' || value.length > MAX_ID || !/^[A-Za-z][A-Za-z0-9._-]*$/.test(value)) {
    throw new Wrong(`${at} is ${show(value)}: letters, digits, '-', '.', '_', starting with a letter, at most ${MAX_ID}`);
  }
  return value;
}

/** Free text, but short and without control characters. */
function guestName(value: unknown): string {
  if (typeof value !== 'string' || !/^[ -~]{0,64}$/.test(value)) throw new Wrong(`guest is ${show(value)}, not a short name`);
  return value;
}

/** For a reason: short, one line, printable. */
function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = value === undefined ? 'missing' : (JSON.stringify(value) ?? String(value));
  const plain = text.replace(/[^ -~]/g, '?');
  return plain.length > 40 ? `${plain.slice(0, 37)}...` : plain;
}
