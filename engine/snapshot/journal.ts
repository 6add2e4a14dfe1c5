/**
 * A replay: which machine, what it starts from, and every input that reached it with the position at which it did, up to an end whose digest
 * is known. Hostile until checked: each input is of a known kind, bounded, and built anew; the player checks monitor lines.
 *
 * Binary, for each input: u8 kind; u8 turn * 4 + in a round * 2 + running; two varints: instructions and ns since the one before; then, for some kinds,
 * a varint length and that many bytes of UTF-8. The last has kind 0 and is the end.
 */
import { HOST_BASE, MAX_VCPUS } from '../abi/layout';
import { FIRST_HOST_BASE, type Position } from '../machine/index';
import { Refused } from './container';
import { digestIn, openParcel, packParcel } from './parcel';
import { MAX_LAYOUT_TEXT, parseLayout } from './parse';
import { checkSpec, type MachineSpec } from './spec';

export type JournalInput =
  | { kind: 'console'; text: string }
  | { kind: 'line'; line: string }
  | { kind: 'run'; action: 'stop' | 'cont' | 'reset' | 'step' }
  | { kind: 'call'; method: 'undo' | 'redo' }
  | { kind: 'go-to'; index: number }
  /** The page's edits of the change set: a StageAction of the worker's protocol. */
  | { kind: 'stage'; action: StageLike }
  | { kind: 'layout'; name: string; text: string };

/** An action by its name, with an edit or plain values. */
export interface StageLike {
  do: string;
  [member: string]: unknown;
}

export interface JournalEntry {
  at: Position;
  input: JournalInput;
}

export interface Replay {
  spec: MachineSpec;
  /** Where it starts: power-on, with a layout or without, or a state (the content of a state link). */
  layout?: string;
  state?: Uint8Array;
  /** Instructions and ns at the start. */
  start: { instructions: number; timeNs: number };
  /** hva at which host memory began in the recording: people typed hvas of that machine. Absent: as here. */
  hostBase?: number;
  entries: readonly JournalEntry[];
  end: Position;
  /** SHA-256 of the machine at the end */
  digest: string;
}

export const MAX_INPUTS = 20_000;
/** Most bytes of all inputs together. */
export const MAX_JOURNAL = 1024 * 1024;
const MAX_CONSOLE = 65_536;
const MAX_LINE = 4096;
const MAX_NAME = 64;

const END = 0;
const CONSOLE = 1;
const LINE = 2;
const STAGE = 3;
const LAYOUT = 4;
const GO_TO = 5;
/** Kinds without text, from 8 up. */
const PLAIN: readonly JournalInput[] = [
  { kind: 'run', action: 'stop' },
  { kind: 'run', action: 'cont' },
  { kind: 'run', action: 'reset' },
  { kind: 'run', action: 'step' },
  { kind: 'call', method: 'undo' },
  { kind: 'call', method: 'redo' },
];
const FIRST_PLAIN = 8;

/** The contents of a replay link or file. */
export function packReplay(replay: Replay): Uint8Array {
  const { spec, layout, state, start, digest } = replay;
  const head = {
    base: replay.hostBase ?? HOST_BASE,
    spec,
    digest,
    start: [start.instructions, start.timeNs],
    ...(layout === undefined ? {} : { layout }),
    ...(state === undefined ? {} : { state: state.length }),
  };
  return packParcel(head, [...(state ? [state] : []), packEntries(replay)]);
}

/** Throws Refused. */
export function readReplay(content: Uint8Array): Replay {
  const { version, head, body } = openParcel(content);
  const length = head.state === undefined ? 0 : numberIn(head.state, 'state', body.length);
  const [instructions, timeNs] = Array.isArray(head.start) ? head.start : [];
  const start = {
    instructions: numberIn(instructions, 'start', Number.MAX_SAFE_INTEGER),
    timeNs: numberIn(timeNs, 'start', Number.MAX_SAFE_INTEGER),
  };
  if (length === 0 && (start.instructions > 0 || start.timeNs > 0)) throw new Refused('it starts at power-on, but not at 0');
  return {
    spec: checkSpec(head.spec),
    digest: digestIn(head),
    start,
    hostBase: version === 1 ? FIRST_HOST_BASE : numberIn(head.base, 'base', 2 ** 32),
    ...(head.layout === undefined ? {} : { layout: layoutIn(head.layout) }),
    ...(length === 0 ? {} : { state: body.subarray(0, length) }),
    ...readEntries(body.subarray(length), start),
  };
}

function numberIn(value: unknown, name: string, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most) return value;
  throw new Refused(`${name} is not a whole number from 0 to ${most}`);
}

function layoutIn(value: unknown): string {
  if (typeof value !== 'string') throw new Refused('layout is not a text');
  const parsed = parseLayout(value);
  if (!parsed.ok) throw new Refused(`layout: ${parsed.reason}`);
  return value;
}

// Writing

function packEntries({ start, entries, end }: Replay): Uint8Array {
  const bytes: number[] = [];
  let last = { ...start };
  const place = (kind: number, at: Position): void => {
    bytes.push(kind, at.turn * 4 + (at.inRound ? 2 : 0) + (at.running ? 1 : 0));
    pushVarint(bytes, at.instructions - last.instructions);
    pushVarint(bytes, at.timeNs - last.timeNs);
    last = at;
  };
  for (const { at, input } of entries) {
    place(kindOf(input), at);
    const text = textOf(input);
    if (text === undefined) continue;
    const encoded = new TextEncoder().encode(text);
    pushVarint(bytes, encoded.length);
    for (const byte of encoded) bytes.push(byte);
  }
  place(END, end);
  return Uint8Array.from(bytes);
}

function kindOf(input: JournalInput): number {
  switch (input.kind) {
    case 'console':
      return CONSOLE;
    case 'line':
      return LINE;
    case 'stage':
      return STAGE;
    case 'layout':
      return LAYOUT;
    case 'go-to':
      return GO_TO;
    default:
      return FIRST_PLAIN + PLAIN.findIndex((plain) => JSON.stringify(plain) === JSON.stringify(input));
  }
}

function textOf(input: JournalInput): string | undefined {
  switch (input.kind) {
    case 'console':
      return input.text;
    case 'line':
      return input.line;
    case 'stage':
      return JSON.stringify(input.action);
    case 'layout':
      return `${input.name}\n${input.text}`;
    case 'go-to':
      return String(input.index);
    default:
      return undefined;
  }
}

/** Does it fit into a journal? A page sends only text, but it may be very long. */
export function fitsJournal(input: JournalInput): boolean {
  const text = textOf(input);
  try {
    if (text !== undefined) inputOf(kindOf(input), text, '');
    return true;
  } catch {
    return false;
  }
}

/** Approximate size of an input, bytes. */
export const sizeOf = (input: JournalInput): number => 12 + (textOf(input)?.length ?? 0);

function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
}

// Reading

function readEntries(bytes: Uint8Array, start: Replay['start']): Pick<Replay, 'entries' | 'end'> {
  if (bytes.length > MAX_JOURNAL * 2) throw new Refused(`its journal has ${bytes.length} bytes, at most ${MAX_JOURNAL * 2} are read`);
  const entries: JournalEntry[] = [];
  let { instructions, timeNs } = start;
  let offset = 0;
  const byte = (): number => {
    if (offset >= bytes.length) throw new Refused('its journal is cut off');
    return bytes[offset++]!;
  };
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const next = byte();
      value += (next & 127) * scale;
      if (!Number.isSafeInteger(value)) throw new Refused('its journal counts beyond 2^53');
      if (next < 128) return value;
    }
  };
  for (;;) {
    const kind = byte();
    const place = byte();
    instructions += varint();
    timeNs += varint();
    const turn = place >> 2;
    if (!Number.isSafeInteger(instructions) || !Number.isSafeInteger(timeNs)) throw new Refused('its journal counts beyond 2^53');
    if (turn >= MAX_VCPUS) throw new Refused(`input ${entries.length + 1}: it is not the number of a vCPU`);
    const at = { instructions, timeNs, turn, inRound: (place & 2) !== 0, running: (place & 1) !== 0 };
    if (kind === END) {
      if (offset < bytes.length) throw new Refused(`${bytes.length - offset} bytes follow the end of its journal`);
      return { entries, end: at };
    }
    if (entries.length >= MAX_INPUTS) throw new Refused(`it has more than ${MAX_INPUTS} inputs`);
    let input = PLAIN[kind - FIRST_PLAIN];
    if (!input) {
      const length = varint();
      if (offset + length > bytes.length) throw new Refused('its journal is cut off');
      input = inputOf(kind, textIn(bytes.subarray(offset, offset + length)), `input ${entries.length + 1}`);
      offset += length;
    }
    entries.push({ at, input });
  }
}

function textIn(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused('its journal has text that is not UTF-8');
  }
}

function inputOf(kind: number, text: string, name: string): JournalInput {
  switch (kind) {
    case CONSOLE:
      if (text.length > MAX_CONSOLE) throw new Refused(`${name}: ${text.length} characters are typed at once, at most ${MAX_CONSOLE} are`);
      return { kind: 'console', text };
    case LINE:
      if (text.length > MAX_LINE || /[^\P{Cc}\t]/u.test(text)) throw new Refused(`${name}: it is not a monitor line`);
      return { kind: 'line', line: text };
    case GO_TO:
      if (!/^\d{1,6}$/.test(text)) throw new Refused(`${name}: it is not an entry of the history`);
      return { kind: 'go-to', index: Number(text) };
    case STAGE:
      return { kind: 'stage', action: stageIn(text, name) };
    case LAYOUT: {
      const end = text.indexOf('\n');
      const label = text.slice(0, Math.max(0, end));
      if (end < 0 || label.length > MAX_NAME || /\p{C}/u.test(label)) throw new Refused(`${name}: its layout has no name`);
      if (text.length > MAX_LAYOUT_TEXT) throw new Refused(`${name}: its layout has ${text.length} characters`);
      return { kind: 'layout', name: label, text: text.slice(end + 1) };
    }
    default:
      throw new Refused(`${name}: kind ${kind} is not known`);
  }
}

/** Members of each kind of edit, beside `op`: numbers, except `slots`, `memdev` and `span`. */
const EDITS: Record<string, readonly string[]> = {
  add: ['slot', 'gpa', 'size', 'hva', 'flags', 'span?'],
  move: ['slot', 'gpa'],
  flags: ['slot', 'flags'],
  resize: ['slot', 'size', 'span?'],
  split: ['slot', 'gpa', 'newSlot'],
  merge: ['slots', 'span?'],
  rehost: ['slot', 'hva?', 'memdev?'],
  del: ['slot'],
};

function stageIn(text: string, name: string): StageLike {
  const wrong = (): Refused => new Refused(`${name}: it is not an edit of a change set`);
  const value = text.length <= MAX_LINE ? parsed(text) : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong();
  const { do: verb, edit, ...rest } = value as Record<string, unknown>;
  if (typeof verb !== 'string' || !/^[a-z-]{1,24}$/.test(verb) || (verb === 'stage') !== (edit !== undefined)) throw wrong();
  const isPlain = ([member, each]: [string, unknown]): boolean =>
    /^[a-zA-Z]{1,24}$/.test(member) &&
    (typeof each === 'boolean' || Number.isSafeInteger(each) || (typeof each === 'string' && /^[a-z-]{1,24}$/.test(each)));
  if (!Object.entries(rest).every(isPlain)) throw wrong();
  return edit === undefined ? { do: verb, ...rest } : { do: verb, ...rest, edit: editIn(edit, wrong) };
}

function editIn(value: unknown, wrong: () => Refused): object {
  if (typeof value !== 'object' || value === null) throw wrong();
  const { op, ...members } = value as Record<string, unknown>;
  const names = typeof op === 'string' && Object.hasOwn(EDITS, op) ? EDITS[op]! : undefined;
  if (!names) throw wrong();
  const given = Object.keys(members);
  if (!given.every((member) => names.some((each) => each.replace('?', '') === member))) throw wrong();
  for (const each of names) {
    const member = members[each.replace('?', '')];
    if (member === undefined && each.endsWith('?')) continue;
    const isIds = Array.isArray(member) && member.length <= 1024 && member.every((id) => Number.isSafeInteger(id));
    const isId = typeof member === 'string' && member.length <= MAX_NAME && !/\p{C}/u.test(member);
    const fits: Record<string, boolean> = { slots: isIds, 'memdev?': isId, 'span?': typeof member === 'boolean' };
    if (!(fits[each] ?? Number.isSafeInteger(member))) throw wrong();
  }
  return { op, ...members };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
