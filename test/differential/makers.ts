/**
 * Compares outcomes. `defined` removes what the manuals leave undefined and what differs between processors, so that the same test passes on every
 * vendor's processor; everything else must be equal. Where two vendors differ consistently and the core follows one of them (it reports
 * GenuineIntel), the rule gives the reason.
 */
import { isOtherMakers } from './amd';
import { ALL_FLAGS, type Case, COMPLETED, DATA, FLAG, type MakerRule, type Outcome, STATUS_FLAGS } from './case';
import { USER64_CODE } from './segments';

const MEMORY_FAULTS = [12, 13, 14];
const ALIGNMENT = 17;
const TOP = 0x3800;
const LOW = 0xffffffffn;

/** A near branch to a non-canonical address: Intel faults at the branch, AMD at the target with the branch retired. Either will do. */
export function jumpedOutOfCanonical(outcome: Outcome): boolean {
  const high = outcome.rip >> 47n;
  return outcome.vector === 13 && high !== 0n && high !== 0x1ffffn;
}

/** The outcome with everything that is not compared set to 0, and x87 registers in order of register number, not stack position. */
export function defined(c: Case, outcome: Outcome): Outcome {
  const completed = outcome.vector === COMPLETED;
  const result: Outcome = { ...outcome, gpr: outcome.gpr.slice(), fx: new Uint8Array(512), data: outcome.data.slice() };
  result.flags &= ALL_FLAGS & ~(completed ? c.undefinedFlags : 0);
  if (outcome.vector === 14) result.error &= 0x12; // P: the host's kernel half is mapped and the core's is not.
  if (completed) result.error = 0;
  if (outcome.vector !== 14) result.cr2 = 0n;
  // The kernel has returned to user code before: IRET turns null selectors with an RPL into 0.
  result.segments = result.segments.map((selector) => (selector < 4 ? 0 : selector));
  if (c.mode !== 64) legacyOnly(result);
  // A return from a 16-bit stack to 64-bit code: what becomes of the upper part of RSP when SP and the bytes to release overflow.
  if (c.mode === 16 && c.name.startsWith('retf Iw') && result.segments[1] === USER64_CODE) result.gpr[4]! &= 0xffffn;
  else if (result.segments[1] !== USER64_CODE) result.gpr[4]! &= LOW;
  // A packed operand that is neither aligned nor inside its segment: which of the two is reported is the processor's choice.
  const aligned = c.usesFpu && (c.mode !== 64 || c.makers.includes('any-byte'));
  if (aligned && result.vector === 12 && result.error === 0) result.vector = 13;
  if (c.usesFpu) result.fx = registersOf(c, outcome.fx);
  if (!completed || !c.makers.includes('partial-store')) for (const [start, end] of c.undefinedData) blank(result.data, start, end);
  for (const rule of c.makers) applyRule(rule, c, result, completed);
  return result;
}

/** After 32- and 16-bit code the upper halves and R8 to R15 are undefined (SDM 1, 3.4.1.1). */
function legacyOnly(result: Outcome): void {
  for (let i = 0; i < 16; i++) result.gpr[i] = i < 8 ? result.gpr[i]! & LOW : 0n;
  if (result.segments[1] !== USER64_CODE) result.rip &= LOW;
}

/** FXSAVE image: control, status, tags, MXCSR, registers; the instruction and data pointers differ between vendors. */
function registersOf(c: Case, fx: Uint8Array): Uint8Array {
  const image = new Uint8Array(512);
  image.set(fx.subarray(0, 5));
  const status = (fx[2]! | (fx[3]! << 8)) & ~c.undefinedFsw;
  image[2] = status & 0xff;
  image[3] = status >> 8;
  image.set(fx.subarray(24, 28), 24);
  const top = (fx[3]! >> 3) & 7;
  for (let i = 0; i < 8; i++) image.set(fx.subarray(32 + 16 * i, 42 + 16 * i), 32 + 16 * ((top + i) & 7));
  image.set(fx.subarray(160, 416), 160);
  return image;
}

function blank(data: Uint8Array, start: number, end: number): void {
  const within = (at: number) => Math.min(Math.max(0, at), data.length);
  data.fill(0, within(start), within(end));
}

function applyRule(rule: MakerRule, c: Case, result: Outcome, completed: boolean): void {
  const nothingDone = !completed || (c.gpr[1]! & LOW) === 0n;
  if (rule === 'short-string' && nothingDone) for (const register of [1, 6, 7]) result.gpr[register]! &= LOW;
  if (completed) return;
  switch (rule) {
    case 'privileged':
      if (result.vector === 12) result.vector = 13;
      return;
    case 'partial-pop':
      for (const register of [0, 1, 2, 3, 5, 6, 7]) result.gpr[register] = 0n;
      result.cr2 = 0n;
      return;
    case 'two-operands':
      result.flags &= ~STATUS_FLAGS;
      if (!MEMORY_FAULTS.includes(result.vector) && result.vector !== ALIGNMENT) return;
      result.vector = 14;
      result.error = 0;
      result.cr2 = 0n;
      return;
    case 'any-byte':
      result.cr2 = 0n;
      return;
    case 'mmx-memory':
      result.fx[3]! &= ~(TOP >> 8);
      result.fx[4] = 0;
      return;
    case 'below-stack': {
      const stack = Number(c.mode === 16 ? result.gpr[4]! & 0xffffn : (result.gpr[4]! & LOW) - BigInt(DATA));
      blank(result.data, stack - 32, stack);
    }
  }
}

/** The ways in which two outcomes differ, in words; empty: they agree. */
export function differences(c: Case, native: Outcome, core: Outcome): string[] {
  if (jumpedOutOfCanonical(native)) return native.vector === core.vector ? [] : [`vector ${core.vector}, should be ${native.vector}`];
  // CALL to an address that is not canonical or outside CS, with an unmapped or unaligned stack: Intel checks the target first, AMD the stack.
  const faults = [...MEMORY_FAULTS, ALIGNMENT];
  if (c.name.startsWith('call') && faults.includes(native.vector) && faults.includes(core.vector)) {
    if (native.vector === 13 || core.vector === 13) native = { ...native, vector: core.vector, error: core.error, cr2: core.cr2 };
  }
  // An operand that straddles the end of the canonical half: the page fault of its first bytes, or the general protection of its last.
  const lastPage = native.vector === 14 && native.cr2 >> 12n === 0x7ffffffffn;
  if (lastPage && (core.vector === 12 || core.vector === 13)) return [];
  if (c.mode !== 64 && wraps(native, core)) return [];
  if (
    pushesInOtherMode(c, native, core) ||
    checksWholeOffset(c, native, core) ||
    isOtherMakers(c, native, core) ||
    readsProcessorNumber(c, native, core) ||
    popsPartOfSlot(c, native, core)
  )
    return [];
  const expected = defined(c, native);
  const got = defined(c, core);
  const found: string[] = [];
  const hex = (value: bigint | number) => `0x${value.toString(16)}`;
  const differ = (what: string, a: bigint | number, b: bigint | number) => {
    if (a !== b) found.push(`${what} ${hex(b)}, should be ${hex(a)}`);
  };
  differ('vector', expected.vector, got.vector);
  if (found.length > 0) return found;
  differ('rip', expected.rip, got.rip);
  for (let i = 0; i < 16; i++) differ(`r${i}`, expected.gpr[i]!, got.gpr[i]!);
  differ('flags', expected.flags, got.flags);
  differ('error code', expected.error, got.error);
  differ('cr2', expected.cr2, got.cr2);
  ['es', 'cs', 'ss', 'ds', 'fs', 'gs'].forEach((name, i) => {
    differ(name, expected.segments[i]!, got.segments[i]!);
  });
  if (Buffer.compare(expected.data, got.data) !== 0) {
    const at = expected.data.findIndex((byte, i) => byte !== got.data[i]);
    found.push(`data+${hex(at)} ${hex(got.data[at]!)}, should be ${hex(expected.data[at]!)}`);
  }
  found.push(...approximateDifferences(c, expected.fx, got.fx));
  fpuDifferences(expected.fx, got.fx, found);
  return found;
}

/** An access around the end of a flat 4 GiB segment may be a limit violation or not (SDM 3A, 5.3). */
function wraps(native: Outcome, core: Outcome): boolean {
  if (core.vector === ALIGNMENT) return native.vector === 12 || native.vector === 13;
  const pageFault = native.vector === 14 ? native : core;
  const other = pageFault === native ? core : native;
  const wrapped = pageFault.cr2 >= 0xfffff000n || pageFault.cr2 < 0x1000n;
  return pageFault.vector === 14 && wrapped && (other.vector === 12 || other.vector === 13);
}

/** PUSH and POP of a segment register: Intel accesses 16 bits of the slot, AMD all of it, which may fault at the end of a page. */
function popsPartOfSlot(c: Case, native: Outcome, core: Outcome): boolean {
  const push = /^push [cefgds]s/.test(c.name);
  const atEnd = ((c.gpr[4]! - (push ? 4n : 0n)) & 4095n) > 4088n;
  return (push || /^pop [efgds]s/.test(c.name)) && atEnd && [native.vector, core.vector].some((vector) => vector === 12 || vector === 14);
}

/** LSL of the segment with a limit of 0 here; natively its limit is the number of the processor that runs the case. */
function readsProcessorNumber(c: Case, native: Outcome, core: Outcome): boolean {
  return /^lsl /.test(c.name) && (core.flags & FLAG.ZF) !== 0 && core.gpr.some((value, i) => value === 0n && native.gpr[i] !== 0n);
}

/** A far call to code of another mode: Intel pushes as that mode addresses the stack (64-bit: base 0), which no manual documents. */
function pushesInOtherMode(c: Case, native: Outcome, core: Outcome): boolean {
  if (!/^call [AM]p/.test(c.name)) return false;
  if (c.mode === 16) return core.segments[1] === USER64_CODE || (native.vector === 14 && core.vector === 12);
  if (native.vector === 14 && c.gpr[4]! > LOW) return true;
  return native.vector === 14 && core.vector === 14 && (native.cr2 & LOW) === (core.cr2 & LOW);
}

/** RETF or IRET with REX.W to 32- or 16-bit code: Intel cuts the offset to 32 bits; the manual could also be read as checking all of it. */
function checksWholeOffset(c: Case, native: Outcome, core: Outcome): boolean {
  return /^(retf|iret)/.test(c.name) && c.mode === 64 && core.segments[1] !== USER64_CODE && native.vector === 13 && native.error === 0;
}

/** FXSAVE images of `defined`. */
function fpuDifferences(expected: Uint8Array, got: Uint8Array, found: string[]): void {
  const compare = (what: string, start: number, length: number) => {
    const a = Buffer.from(expected.subarray(start, start + length));
    const b = Buffer.from(got.subarray(start, start + length));
    if (a.compare(b) !== 0) found.push(`${what} ${b.reverse().toString('hex')}, should be ${a.reverse().toString('hex')}`);
  };
  compare('fcw', 0, 2);
  compare('fsw', 2, 2);
  compare('ftw', 4, 1);
  compare('mxcsr', 24, 4);
  for (let i = 0; i < 8; i++) compare(`x87 register ${i}`, 32 + 16 * i, 10);
  for (let i = 0; i < 16; i++) compare(`xmm${i}`, 160 + 16 * i, 16);
}

/** Location of the approximate results of a case in an image of `defined`: [offset, bytes]. */
export function approximateParts(c: Case, fx: Uint8Array): [number, number][] {
  if (c.approximate === undefined) return [];
  if (c.approximate !== 'x87') return [0, 4, 8, 12].map((lane) => [160 + 16 * (c.approximate as number) + lane, 4]);
  const top = (fx[3]! >> 3) & 7;
  return [0, 1].map((i) => [32 + 16 * ((top + i) & 7), 10]);
}

/** Compares the approximate results and then clears them in both images. */
export function approximateDifferences(c: Case, expected: Uint8Array, got: Uint8Array): string[] {
  const found: string[] = [];
  for (const [at, length] of approximateParts(c, expected)) {
    const [a, b] = [expected.slice(at, at + length), got.slice(at, at + length)];
    const near = length === 4 ? nearSingle(a, b) : nearExtended(a, b);
    if (!near) found.push(`+${at} ${Buffer.from(b).reverse().toString('hex')}, should be near ${Buffer.from(a).reverse().toString('hex')}`);
    expected.fill(0, at, at + length);
    got.fill(0, at, at + length);
  }
  return found;
}

/** RCP and RSQRT may be off by a relative 1.5 * 2^-12 (SDM 2); results that would be denormal may be 0 instead. */
const RELATIVE = 1.5 * 2 ** -12;
const SMALLEST = 2 ** -126;

function nearSingle(a: Uint8Array, b: Uint8Array): boolean {
  if (a.every((byte, i) => byte === b[i])) return true;
  const [x, y] = [a, b].map((bytes) => new DataView(bytes.buffer).getFloat32(0, true)) as [number, number];
  if (!Number.isFinite(x) || !Number.isFinite(y)) return false;
  if (Math.abs(x) <= SMALLEST && Math.abs(y) <= SMALLEST * (1 + RELATIVE)) return true;
  return Math.abs(x - y) <= RELATIVE * Math.abs(y) + Math.abs(y) * 2 ** -23;
}

/** Maps adjacent 80-bit numbers to adjacent integers. */
function ordinal(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer);
  const top = BigInt(view.getUint16(8, true));
  const magnitude = ((top & 0x7fffn) << 63n) | (view.getBigUint64(0, true) & 0x7fffffffffffffffn);
  return top >> 15n ? -magnitude : magnitude;
}

function nearExtended(a: Uint8Array, b: Uint8Array): boolean {
  if (a.every((byte, i) => byte === b[i])) return true;
  const special = (bytes: Uint8Array) => ((bytes[9]! & 0x7f) << 8) + bytes[8]! === 0x7fff;
  if (special(a) || special(b)) return false;
  const distance = ordinal(a) - ordinal(b);
  return distance <= 1n && distance >= -1n;
}
