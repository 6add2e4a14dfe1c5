/**
 * A differential case: one instruction and the whole state that it starts from, and what a processor made of it.
 * The binary layouts are native.c's.
 */

/** Guest-virtual addresses, the same on the host processor and on the core. */
export const CODE = 0x10000000;
export const CODE_SIZE = 0x1000;
export const DATA = 0x20000000;
export const DATA_SIZE = 0x2000;

export const INPUT_SIZE = 16 + 128 + 8 + 8 + 512;
export const OUTPUT_SIZE = 128 + 6 * 8 + 512 + DATA_SIZE;

export const FLAG = { CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, DF: 0x400, OF: 0x800 } as const;
export const STATUS_FLAGS = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;

/** Offset in every 256 bytes of data where an address in the code page lies. */
export const RETURN_ADDRESS = 0x60;

/** Vectors that both sides report; 3 means: the instruction completed and met the int3 behind it. */
export const COMPLETED = 3;

export interface Case {
  /** Name of the form, for messages. */
  name: string;
  code: Uint8Array; // 16 bytes, padded with int3
  gpr: BigUint64Array; // encoding order
  flags: number;
  /** Where in the code page the instruction starts. */
  offset: number;
  fx: Uint8Array; // FXSAVE image, 512 bytes
  /** RFLAGS bits that the manual leaves undefined after this instruction. */
  undefinedFlags: number;
  /** Compare x87/SSE state. */
  usesFpu: boolean;
  /** Bits of the x87 status word that the manual leaves undefined. */
  undefinedFsw: number;
}

export interface Outcome {
  gpr: BigUint64Array;
  rip: bigint;
  flags: number;
  vector: number;
  error: number;
  cr2: bigint;
  fx: Uint8Array;
  data: Uint8Array;
}

export function encodeInput(c: Case, to: Uint8Array): void {
  const view = new DataView(to.buffer, to.byteOffset, INPUT_SIZE);
  to.set(c.code, 0);
  for (let i = 0; i < 16; i++) view.setBigUint64(16 + 8 * i, c.gpr[i]!, true);
  view.setBigUint64(144, BigInt(c.flags), true);
  view.setBigUint64(152, BigInt(c.offset), true);
  to.set(c.fx, 160);
}

export function decodeOutput(from: Uint8Array): Outcome {
  const view = new DataView(from.buffer, from.byteOffset, OUTPUT_SIZE);
  const gpr = new BigUint64Array(16);
  for (let i = 0; i < 16; i++) gpr[i] = view.getBigUint64(8 * i, true);
  return {
    gpr,
    rip: view.getBigUint64(128, true),
    flags: view.getUint32(136, true),
    vector: view.getUint32(144, true),
    error: view.getUint32(152, true),
    cr2: view.getBigUint64(160, true),
    fx: from.subarray(176, 176 + 512),
    data: from.subarray(176 + 512, OUTPUT_SIZE),
  };
}

/** What the data pages hold before every case. */
export function dataPattern(): Uint8Array {
  const bytes = new Uint8Array(DATA_SIZE);
  let x = 0x9e3779b9;
  for (let i = 0; i < DATA_SIZE; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    // Runs of equal bytes, zeros and small numbers: so that compares, scans and divisions do something.
    bytes[i] = (i & 0x1f0) === 0 ? 0 : (i & 0x1f0) === 0x10 ? i & 3 : x;
  }
  // Every 64 bytes a pointer into the data and a few floats, for operands that are addresses or numbers.
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < DATA_SIZE; i += 256) {
    view.setBigUint64(i + 0x40, BigInt(DATA + ((i * 7) % DATA_SIZE)), true);
    view.setFloat64(i + 0x48, (i - 4000) / 3, true);
    view.setFloat32(i + 0x50, i / 7 - 100, true);
    view.setFloat32(i + 0x54, 1e10 / (i + 1), true);
    view.setBigUint64(i + RETURN_ADDRESS, BigInt(CODE + (i & 0xff)), true);
    view.setFloat64(i + 0x58, i % 512 ? 1e300 * i : Number.NaN, true);
  }
  return bytes;
}

/** The ways in which two outcomes differ, in words; empty: they agree. */
export function differences(c: Case, expected: Outcome, got: Outcome): string[] {
  const found: string[] = [];
  const hex = (value: bigint | number) => `0x${value.toString(16)}`;
  const differ = (what: string, a: bigint | number, b: bigint | number) => {
    if (a !== b) found.push(`${what} ${hex(b)}, should be ${hex(a)}`);
  };
  // CALL to a non-canonical address with an unmapped stack: Intel looks at the target first, AMD at the stack.
  if (c.name.startsWith('call') && [12, 14].includes(expected.vector) && got.vector === 13) return found;
  // An operand that straddles the end of the canonical half: the page fault of its first bytes, or the general protection of its last.
  const lastPage = expected.vector === 14 && expected.cr2 >> 12n === 0x7ffffffffn;
  if (lastPage && (got.vector === 12 || got.vector === 13)) return found;
  differ('vector', expected.vector, got.vector);
  if (found.length > 0 || jumpedOutOfCanonical(expected)) return found;
  differ('rip', expected.rip, got.rip);
  for (let i = 0; i < 16; i++) differ(`r${i}`, expected.gpr[i]!, got.gpr[i]!);
  // RF in the pushed image depends on how the state was captured.
  const defined = (expected.vector === COMPLETED ? ~c.undefinedFlags : -1) & (STATUS_FLAGS | FLAG.DF);
  differ('flags', expected.flags & defined, got.flags & defined);
  if (expected.vector === 14) {
    differ('cr2', expected.cr2, got.cr2);
    // P: the host's kernel half is mapped and the core's is not.
    differ('error code', expected.error & 0x12, got.error & 0x12);
  } else if (expected.vector !== COMPLETED) differ('error code', expected.error, got.error);
  if (Buffer.compare(expected.data, got.data) !== 0) {
    const at = expected.data.findIndex((byte, i) => byte !== got.data[i]);
    found.push(`data+${hex(at)} ${hex(got.data[at]!)}, should be ${hex(expected.data[at]!)}`);
  }
  if (c.usesFpu) found.push(...fpuDifferences(expected.fx, got.fx, c.undefinedFsw));
  return found;
}

/** A near branch to a non-canonical address: Intel faults at the branch, AMD at the target with the branch retired. Either will do. */
export function jumpedOutOfCanonical(outcome: Outcome): boolean {
  const high = outcome.rip >> 47n;
  return outcome.vector === 13 && high !== 0n && high !== 0x1ffffn;
}

/** FXSAVE image: control, status, tag, MXCSR, registers; the instruction and data pointers differ between makers. */
function fpuDifferences(expected: Uint8Array, got: Uint8Array, undefinedFsw: number): string[] {
  const found: string[] = [];
  const compare = (what: string, start: number, length: number) => {
    const a = Buffer.from(expected.subarray(start, start + length));
    const b = Buffer.from(got.subarray(start, start + length));
    if (a.compare(b) !== 0) found.push(`${what} ${b.reverse().toString('hex')}, should be ${a.reverse().toString('hex')}`);
  };
  compare('fcw', 0, 2);
  const status = (fx: Uint8Array) => (fx[2]! | (fx[3]! << 8)) & ~undefinedFsw;
  if (status(expected) !== status(got)) found.push(`fsw ${status(got).toString(16)}, should be ${status(expected).toString(16)}`);
  compare('ftw', 4, 1);
  compare('mxcsr', 24, 4);
  for (let i = 0; i < 8; i++) compare(`st${i}`, 32 + 16 * i, 10);
  for (let i = 0; i < 16; i++) compare(`xmm${i}`, 160 + 16 * i, 16);
  return found;
}
