/** `x` and `xp`: memory in QEMU's layout, without side effects on the guest. */
import { type Bits, instructionsFrom, type Placed, qemuLines, type Read, unreadable } from './disasm';
import type { Format } from './types';

/** A request for more lines than this is a typing error; QEMU would print them all. */
const MAX_LINES = 4096;

/** QEMU's monitor_printc. */
export function printChar(code: number): string {
  switch (code) {
    case 0x27:
      return "'\\''";
    case 0x5c:
      return "'\\\\'";
    case 0x0a:
      return "'\\n'";
    case 0x0d:
      return "'\\r'";
    default:
      return code >= 32 && code <= 126 ? `'${String.fromCharCode(code)}'` : `'\\x${(code >>> 0).toString(16).padStart(2, '0')}'`;
  }
}

function cell(value: bigint, format: Format['format'], bytes: number): string {
  const bits = bytes * 8;
  switch (format) {
    case 'o':
      return (value === 0n ? '0' : `0${value.toString(8)}`).padStart(Math.ceil(bits / 3));
    case 'u':
      return value.toString().padStart(Math.ceil((bits * 10) / 33));
    case 'd':
      // As in QEMU, only 8-byte items are signed.
      return (bytes === 8 ? BigInt.asIntN(64, value) : value).toString().padStart(Math.ceil((bits * 10) / 33));
    case 'c':
      return printChar(Number(value));
    default:
      return `0x${value.toString(16).padStart(bits / 4, '0')}`;
  }
}

/** `read` returns bytes at an address, or undefined if one of them is not backed. */
export function dumpMemory(start: bigint, format: Format, read: Read): string {
  let size = format.size;
  const lineBytes = size === 1 ? 8 : 16;
  let left = size * format.count;
  if (format.format === 'c') size = 1;
  let address = start;
  const lines: string[] = [];
  while (left > 0) {
    if (lines.length === MAX_LINES) {
      lines.push(`... ${left} bytes more: this monitor prints at most ${MAX_LINES} lines at once`);
      break;
    }
    const label = `${BigInt.asUintN(64, address).toString(16).padStart(16, '0')}:`;
    const length = Math.min(left, lineBytes);
    const bytes = read(BigInt.asUintN(64, address), length);
    if (!bytes) {
      lines.push(`${label} Cannot access memory`);
      break;
    }
    lines.push(label + cells(bytes, format.format, size));
    address += BigInt(length);
    left -= length;
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** `x /i`; `count` 0 means 1, as in QEMU. `name`: "main+0x4" for an address; a line of its own names the function of the code that follows. */
export function dumpInstructions(start: bigint, count: number, bits: Bits, read: Read, name: SymbolName = () => undefined): string {
  const wanted = Math.max(1, count);
  const found = instructionsFrom(read, start, Math.min(wanted, MAX_LINES), bits);
  const lines = found.flatMap((placed, index) => [...place(name(placed.address), index === 0), ...withTarget(placed, name)]);
  if (found.length < Math.min(wanted, MAX_LINES)) {
    const last = found.at(-1);
    lines.push(unreadable(last ? last.address + BigInt(last.length) : start));
  } else if (wanted > MAX_LINES)
    lines.push(`... ${wanted - MAX_LINES} instructions more: this monitor prints at most ${MAX_LINES} at once`);
  return lines.map((line) => `${line}\n`).join('');
}

type SymbolName = (address: bigint) => string | undefined;

const place = (symbol: string | undefined, first: boolean): string[] =>
  symbol !== undefined && (first || !symbol.includes('+0x')) ? [`${symbol}:`] : [];

function withTarget(placed: Placed, name: SymbolName): string[] {
  const symbol = placed.target === undefined ? undefined : name(placed.target);
  return qemuLines(symbol === undefined ? placed : { ...placed, operands: `${placed.operands} <${symbol}>` });
}

function cells(bytes: Uint8Array, format: Format['format'], size: number): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += size) {
    let value = 0n;
    for (let byte = size - 1; byte >= 0; byte--) value = (value << 8n) | BigInt(bytes[at + byte] ?? 0);
    text += ` ${cell(value, format, size)}`;
  }
  return text;
}
