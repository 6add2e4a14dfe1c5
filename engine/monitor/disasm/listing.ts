/** Instructions in memory: `x /i` in QEMU's format, and the instructions around an address. */
import { disassemble, type Instruction } from './disassemble';
import { type Bits, MAX_LENGTH } from './fields';

/** Bytes at an address, undefined if one of them does not exist. */
export type Read = (address: bigint, length: number) => Uint8Array | undefined;

export interface Placed extends Instruction {
  /** Linear or physical address, as `read` takes it. */
  address: bigint;
  bytes: Uint8Array;
}

const PAGE = 4096n;
/** QEMU breaks a line of bytes here. */
const BYTES_PER_LINE = 8;
/** How far `before` searches backwards for a start that leads to an address. */
const LOOK_BACK = 96;

const wrap = (address: bigint): bigint => BigInt.asUintN(64, address);

/** Up to `length` bytes: all of them, or those up to the end of the page. */
function readSome(read: Read, address: bigint, length: number): Uint8Array {
  const whole = read(address, length);
  if (whole) return whole;
  const room = Number(PAGE - (address % PAGE));
  return (room < length ? read(address, room) : undefined) ?? new Uint8Array();
}

/**
 * The instruction at an address; undefined if memory ends before it does. `base` is the code segment's: near targets are shown as offsets, as in the
 * instruction.
 */
export function instructionAt(read: Read, address: bigint, bits: Bits, base = 0n): Placed | undefined {
  const bytes = readSome(read, address, MAX_LENGTH);
  const found = disassemble(bytes, wrap(address - base), bits);
  return found && { ...found, address, bytes: bytes.subarray(0, found.length) };
}

/** At most `count` instructions from an address on; fewer if memory ends. */
export function instructionsFrom(read: Read, start: bigint, count: number, bits: Bits, base = 0n): Placed[] {
  const found: Placed[] = [];
  for (let address = wrap(start); found.length < count; ) {
    const next = instructionAt(read, address, bits, base);
    if (!next) break;
    found.push(next);
    address = wrap(address + BigInt(next.length));
  }
  return found;
}

/**
 * At most `count` instructions that end where `end` begins. x86 code cannot be decoded backwards, so this is a guess: of all starts that lead to
 * `end` without an unknown byte, it takes the sequence that most of them share.
 */
export function instructionsBefore(read: Read, end: bigint, count: number, bits: Bits, base = 0n): Placed[] {
  const at = startsBefore(read, end, bits, base);
  // For each start, how many starts lead to it, including itself.
  const votes = new Map<number, number>();
  for (const back of [...at.keys()].sort((a, b) => b - a)) {
    const mine = (votes.get(back) ?? 0) + 1;
    votes.set(back, mine);
    const next = back - at.get(back)!.length;
    votes.set(next, (votes.get(next) ?? 0) + mine);
  }
  const found: Placed[] = [];
  for (let back = 0; found.length < count; ) {
    const here = back;
    const candidates = [...at.keys()].filter((start) => start - at.get(start)!.length === here);
    if (candidates.length === 0) break;
    back = candidates.reduce((best, start) => ((votes.get(start) ?? 0) > (votes.get(best) ?? 0) ? start : best));
    found.unshift(at.get(back)!);
  }
  return found;
}

/** By distance to `end`: the instructions from which a run of known ones leads exactly to it. */
function startsBefore(read: Read, end: bigint, bits: Bits, base: bigint): Map<number, Placed> {
  const at = new Map<number, Placed>();
  for (let back = 1; back <= LOOK_BACK && BigInt(back) <= end; back++) {
    const found = instructionAt(read, end - BigInt(back), bits, base);
    if (!found) break;
    const next = back - found.length;
    if (found.mnemonic !== '.byte' && (next === 0 || at.has(next))) at.set(back, found);
  }
  return at;
}

const bytesText = (bytes: Uint8Array): string => [...bytes].map((byte) => ` ${byte.toString(16).padStart(2, '0')}`).join('');
const label = (address: bigint): string => `0x${wrap(address).toString(16).padStart(8, '0')}:`;

/** One instruction in the format of QEMU's monitor; more than eight bytes continue on the next line. */
export function qemuLines({ address, bytes, mnemonic, operands }: Placed): string[] {
  const first = bytesText(bytes.subarray(0, BYTES_PER_LINE)).padEnd(3 * BYTES_PER_LINE);
  const lines = [`${label(address)} ${first}  ${mnemonic.padEnd(8)} ${operands}`];
  for (let from = BYTES_PER_LINE; from < bytes.length; from += BYTES_PER_LINE) {
    lines.push(`${label(address + BigInt(from))} ${bytesText(bytes.subarray(from, from + BYTES_PER_LINE))}`);
  }
  return lines;
}

/** QEMU's text for an instruction that it cannot read. */
export const unreadable = (address: bigint): string => `${label(address)} unable to read memory`;
