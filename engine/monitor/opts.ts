/** The two comma grammars: QemuOpts (device_add) and keyval (object_add). */

import { IDENTIFIER_RULE, isIdentifier } from './sizes';
import { CommandError, UsageError } from './types';

/** Parts between commas; two commas mean one inside a part, as in QEMU. */
export function splitCommas(text: string): string[] {
  return text
    .replaceAll(',,', '\0')
    .split(',')
    .map((part) => part.replaceAll('\0', ',')); // prettier-ignore
}

/**
 * QemuOpts: `implied` names the first part without "=". A later part without "=" is a switch: on, or off after "no". Of equal keys the last counts. A
 * bad id is a UsageError, as in QEMU.
 */
export function parseQemuOpts(text: string, implied: string): Map<string, string> {
  const options = new Map<string, string>();
  for (let rest = text; rest !== ''; ) {
    const key = /^[^=,]*/.exec(rest)![0];
    if (rest[key.length] === '=') {
      const { value, end } = valueAt(rest, key.length + 1);
      // Of several ids the first counts.
      if (key !== 'id' || !options.has('id')) options.set(key, value);
      rest = rest.slice(end);
    } else if (rest === text) {
      const { value, end } = valueAt(rest, 0);
      options.set(implied, value);
      rest = rest.slice(end);
    } else {
      if (key === 'help' || key === '?') options.set('help', 'on');
      else if (key.startsWith('no')) options.set(key.slice(2), 'off');
      else options.set(key, 'on');
      rest = rest.slice(key.length + 1);
    }
  }
  const id = options.get('id');
  if (id !== undefined && !isIdentifier(id)) throw new UsageError(`Parameter 'id' expects an identifier\n${IDENTIFIER_RULE}`);
  return options;
}

/** keyval: every part except the implied first needs "=". `help` is set if a part is "help" or "?". */
export function parseKeyval(text: string, implied: string): { values: Map<string, string>; help: boolean } {
  const values = new Map<string, string>();
  let help = false;
  let rest = text;
  for (let first = true; rest !== ''; first = false) {
    const key = /^[^=,]*/.exec(rest)![0];
    const next = rest[key.length];
    if (next !== '=' && (key === 'help' || key === '?')) {
      help = true;
      rest = rest.slice(key.length + (next === ',' ? 1 : 0));
      continue;
    }
    if (next !== '=' && first && key !== '') {
      values.set(implied, key);
      rest = rest.slice(key.length + (next === ',' ? 1 : 0));
      continue;
    }
    checkKey(key);
    if (next !== '=') throw new CommandError(`Expected '=' after parameter '${key}'`);
    const { value, end } = valueAt(rest, key.length + 1);
    values.set(key, value);
    rest = rest.slice(end);
  }
  return { values, help };
}

function checkKey(key: string): void {
  if (!/^[A-Za-z][A-Za-z0-9_-]*(\.([A-Za-z][A-Za-z0-9_-]*|\d+))*$/.test(key)) throw new CommandError(`Invalid parameter '${key}'`);
}

/** Up to a single comma; ",," is a comma in the value. */
function valueAt(text: string, start: number): { value: string; end: number } {
  let value = '';
  let at = start;
  for (; at < text.length; at++) {
    if (text[at] === ',') {
      if (text[at + 1] !== ',') return { value, end: at + 1 };
      at++;
    }
    value += text[at];
  }
  return { value, end: at };
}
