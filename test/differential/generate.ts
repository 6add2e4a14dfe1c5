/** Generates cases from forms; the same seed gives the same cases. */
import { type Case, CODE, CODE_SIZE, DATA, DATA_SIZE, FLAG, type MakerRule, type Mode } from './case';
import type { Form } from './form';
import { drawFrame } from './frames';
import { type AddressSize, aimAt, drawOperand, effectiveAddress, type Operand } from './operands';
import { FX_IMAGES, RETURN_ADDRESS } from './pattern';
import { drawTexts, fxImage, immediate, littleEndian, Random, registerValue } from './random';
import { CODE_SELECTORS, FS_BASE, GS_BASE, LDT, SELECTORS } from './segments';

const FS = 0x64;
const GS = 0x65;

/** The parts of a case that are drawn before its registers. */
interface Shape {
  form: Form;
  mode: Mode;
  bytes: number[];
  /** bits */
  operandSize: 8 | 16 | 32 | 64;
  addressSize: AddressSize;
  segment: number | undefined;
  rex: number;
  operand: Operand | undefined;
  immediateAt: number;
  offset: number;
}

function drawMode(form: Form, random: Random, legacy: boolean): Mode {
  const draw = random.below(100);
  if (!legacy || form.only === 'long') return form.only === 'legacy' ? 32 : 64;
  if (form.only === 'legacy') return draw < 60 ? 32 : 16;
  return draw < 60 ? 64 : draw < 85 ? 32 : 16;
}

function takes66(form: Form, mode: Mode): boolean {
  if (form.sized === undefined || form.no16) return false;
  return form.sized !== 'legacy' || mode !== 64;
}

function immediateBytes(form: Form, operandSize: number, addressSize: number): number {
  switch (form.imm) {
    case 'z':
      return operandSize === 16 ? 2 : 4;
    case 'v':
      return operandSize / 8;
    case 'a':
      return addressSize / 8;
    case 'p':
      return operandSize / 8 + 2;
    default:
      return form.imm ?? 0;
  }
}

/** Near branches: 4 bytes in 64-bit code, otherwise by operand size. */
function branchBytes(form: Form, mode: Mode, operandSize: number): number {
  return form.imm === 1 ? 1 : mode === 64 || operandSize !== 16 ? 4 : 2;
}

/** A second mandatory prefix: F2 and F3 count before 66, in whatever order. */
function strayPrefixes(form: Form, random: Random): number[] {
  if (!form.fpu) return [];
  if (form.mandatory === 0xf2 || form.mandatory === 0xf3) return random.chance(3) ? [0x66] : [];
  return form.opcode.length === 3 && random.chance(2) ? [random.pick([0xf2, 0xf3])] : [];
}

function drawShape(form: Form, random: Random, legacy: boolean): Shape {
  const mode = drawMode(form, random, legacy);
  const prefix66 = takes66(form, mode) && random.chance(20);
  const rexW = mode === 64 && (form.sized === true || form.rexW === true) && random.chance(35);
  const rex = mode === 64 && !form.noRex && (rexW || random.chance(40)) ? 0x40 | (rexW ? 8 : 0) | random.below(8) : 0;
  const prefix67 = random.chance(mode === 16 ? 25 : 4) && !(form.branch && form.name.startsWith('j'));
  const segment = random.chance(8) ? random.pick([0x26, 0x2e, 0x36, 0x3e, FS, FS, GS, GS]) : undefined;
  const bytes: number[] = [];
  if (form.lock ? random.chance(10) : random.chance(1)) bytes.push(0xf0);
  if (form.rep && random.chance(60)) bytes.push(form.rep === 'rep' ? 0xf3 : random.pick([0xf2, 0xf3]));
  if (prefix66) bytes.push(0x66);
  if (prefix67) bytes.push(0x67);
  if (segment !== undefined) bytes.push(segment);
  bytes.push(...strayPrefixes(form, random));
  if (form.mandatory !== undefined) bytes.push(form.mandatory);
  if (rex) bytes.push(rex);
  bytes.push(...form.opcode);
  if (form.plusReg) bytes[bytes.length - 1]! += random.below(8);
  const wide = mode === 64 && form.stackSized ? 64 : (mode === 16) === prefix66 ? 32 : 16;
  const operandSize = form.sized === undefined && form.imm === undefined ? 8 : rexW ? 64 : prefix66 && mode === 64 ? 16 : wide;
  const addressSize: AddressSize = mode === 64 ? (prefix67 ? 32 : 64) : (mode === 16) === prefix67 ? 32 : 16;
  const operand = form.modrm ? drawOperand(random, form, mode, addressSize, rex) : undefined;
  if (operand) bytes.push(...operand.bytes);
  const immediateAt = bytes.length;
  const offset = 512 + random.below(CODE_SIZE - 1024);
  const shape: Shape = { form, mode, bytes, operandSize, addressSize, segment, rex, operand, immediateAt, offset };
  bytes.push(...drawImmediate(shape, random));
  return shape;
}

function drawImmediate({ form, mode, operandSize, addressSize }: Shape, random: Random): number[] {
  if (form.branch) {
    const length = branchBytes(form, mode, operandSize);
    const distance = random.below(400) - 200;
    const near = length === 1 ? distance % 100 : distance;
    // Never back into the instruction itself, which would loop forever.
    return littleEndian(BigInt(near < 0 && near >= -15 ? near - 20 : near), length);
  }
  const length = immediateBytes(form, operandSize, addressSize);
  if (form.imm === 'a' && random.chance(80)) return littleEndian(BigInt((mode === 16 ? 0 : DATA) + random.below(DATA_SIZE)), length);
  if (form.imm === 'p') {
    const selector = random.pick(random.chance(70) ? CODE_SELECTORS : SELECTORS);
    const to = selector === LDT.code16 ? 0x40 : 0x10000040;
    return [...littleEndian(BigInt(to + random.below(200)), length - 2), ...littleEndian(BigInt(selector), 2)];
  }
  return form.immediates && random.chance(80) ? [random.pick(form.immediates)] : immediate(random, length);
}

const dataStart = (mode: Mode): bigint => (mode === 16 ? 0n : BigInt(DATA));

/** The base that the segment of the memory operand adds; undefined where the operand's place does not matter to the form. */
function segmentBase({ mode, segment }: Shape): bigint {
  if (segment === FS) return BigInt(FS_BASE);
  if (segment === GS) return BigInt(GS_BASE);
  return mode === 16 ? BigInt(DATA) : 0n;
}

/** Offset in the data of an image or structure of the kind that the form needs. */
function pickAim(form: Form, shape: Shape, random: Random): number {
  const aim = form.aim!;
  if (aim === 'fx') return random.pick(FX_IMAGES);
  const at = typeof aim === 'number' ? aim : aim[shape.operandSize as 16 | 32 | 64];
  return typeof at === 'number' ? at + 256 * random.below(DATA_SIZE / 256 - 17) : random.pick(at);
}

/** The stack of a far return; of RETF sometimes just what is there. */
function drawStack({ form, mode, operandSize }: Shape, random: Random): ReturnType<typeof drawFrame> | undefined {
  if (form.stack !== 'iret' && (form.stack !== 'retf' || random.chance(15))) return undefined;
  return drawFrame(form.stack, mode, (operandSize / 8) as 2 | 4 | 8, random);
}

/** A string's length: mostly shorter than a register; only the magnitude matters. */
function stringLength(random: Random, mode: Mode): bigint {
  const length = BigInt(random.below(20));
  return BigInt.asUintN(mode === 64 ? 64 : 32, random.chance(25) ? -length : length);
}

function drawRegisters(shape: Shape, top: number | undefined, random: Random): BigUint64Array {
  const { form, mode, operand } = shape;
  const gpr = new BigUint64Array(16);
  for (let i = 0; i < (mode === 64 ? 16 : 8); i++) gpr[i] = registerValue(random, mode);
  if (!random.chance(3)) gpr[4] = dataStart(mode) + BigInt(512 + random.below(DATA_SIZE - 1024));
  // That host also loops on far calls that wrap around the start of the stack segment.
  if (/^call [AM]p/.test(form.name) && mode !== 64 && (gpr[4]! & 0xffffn) < 64n) gpr[4]! |= 0x400n;
  // A call would overwrite its own target with the return address.
  if (gpr[4]! >> 12n === BigInt(CODE >> 12) || gpr[4]! >> 12n === BigInt((CODE >> 12) + 1)) gpr[4] = BigInt(DATA + 2048);
  // Most packed operands must be aligned.
  if (form.fpu && random.chance(70)) for (let i = 0; i < 16; i++) gpr[i]! &= ~15n;
  if (form.text) for (const i of [0, 2]) if (random.chance(70)) gpr[i] = stringLength(random, mode);
  if (form.stack === 'return' && random.chance(70))
    gpr[4] = dataStart(mode) + BigInt(RETURN_ADDRESS + 256 * random.below(DATA_SIZE / 256 - 17));
  if (top !== undefined) gpr[4] = BigInt.asUintN(mode === 16 ? 16 : 32, dataStart(mode) + BigInt(top));
  if (form.rep) gpr[1] = BigInt(random.below(40));
  // Not into the code.
  if (form.rep && gpr[7]! >> 12n === BigInt(CODE >> 12)) gpr[7] = BigInt(DATA) + (gpr[7]! & 0xfffn);
  if (form.selector && operand?.register !== undefined && random.chance(90)) gpr[operand.register] = BigInt(random.pick(SELECTORS));
  if (form.name.startsWith('div') || form.name.startsWith('idiv')) {
    // Most random dividends overflow: make the quotient fit half of the time.
    if (random.chance(60)) gpr[2] = random.chance(70) ? 0n : mode === 64 ? 0xffffffffffffffffn : 0xffffffffn;
  }
  // 16-bit code uses SP and leaves the rest of ESP alone.
  if (mode === 16 && random.chance(20)) gpr[4]! |= BigInt(random.below(0x10000)) << 16n;
  if (form.aim !== undefined && operand?.memory && random.chance(80)) {
    const wanted = BigInt(DATA + pickAim(form, shape, random)) - segmentBase(shape);
    aimAt(operand.memory, gpr, wanted);
  }
  return gpr;
}

function shiftCount(shape: Shape, gpr: BigUint64Array): number {
  const last = shape.form.opcode.at(-1)!;
  if (shape.form.imm === 1) return shape.bytes.at(-1)!;
  if ((last & 0xfe) === 0xd0) return 1;
  return Number(gpr[1]! & 0xffn);
}

function undefinedByShift(form: Form, count: number, bits: number): number {
  const masked = count & (bits === 64 ? 63 : 31);
  if (masked === 0) return 0;
  const overflow = masked === 1 ? 0 : FLAG.OF;
  if (form.shift === 'rotate') return overflow;
  return FLAG.AF | overflow | (masked >= bits ? FLAG.CF : 0);
}

/** Is ST(0) a number beyond what the form has a defined result for? */
function outsideDomain(form: Form, fx: Uint8Array): boolean {
  if (form.domain === undefined) return false;
  const view = new DataView(fx.buffer);
  const exponent = view.getUint16(40, true) & 0x7fff;
  const significand = Number(view.getBigUint64(32, true)) / 2 ** 63;
  return exponent === 0x7fff ? significand === 1 : significand * 2 ** (exponent - 0x3fff) > form.domain;
}

/** Could a large store overwrite the running code? */
function storesIntoCode({ form, operand, offset, bytes, segment, mode }: Shape, gpr: BigUint64Array): boolean {
  if (form.image !== 'fx' && form.image !== 'x87') return false;
  // 16-bit code reaches its own page only through CS, which is not writable.
  if (!operand?.memory || mode === 16) return false;
  const base = segment === FS ? FS_BASE : segment === GS ? GS_BASE : 0;
  const address = effectiveAddress(operand.memory, gpr, offset + bytes.length) + BigInt(base);
  return address + 512n > BigInt(CODE) && address < BigInt(CODE + CODE_SIZE);
}

/** Parts of stored or pushed data that are not compared, as offsets in the data pages. */
function undefinedData(shape: Shape, gpr: BigUint64Array): [number, number][] {
  const { form, operand, bytes, offset } = shape;
  if (form.image === 'selector') {
    // With a 32-bit operand Intel stores 16 bits and leaves the rest, AMD stores zeros there (SDM 2, PUSH).
    const top = Number(gpr[4]! & (shape.mode === 16 ? 0xffffn : 0xffffffffn)) - (shape.mode === 16 ? 0 : DATA);
    return shape.mode !== 64 && shape.operandSize === 32 ? [[top - 2, top]] : [];
  }
  if (!form.image || !operand?.memory) return [];
  const address = effectiveAddress(operand.memory, gpr, offset + bytes.length) + segmentBase(shape);
  const at = Number(BigInt.asIntN(64, address - BigInt(DATA)));
  if (Math.abs(at) > 2 * DATA_SIZE) return [];
  const parts: [number, number][] =
    form.image === 'ten'
      ? [[0, 10]]
      : form.image === 'fx'
        ? [
            [5, 24],
            [28, 32],
            [416, 512],
          ]
        : shape.operandSize === 16
          ? [[6, 14]]
          : [[12, 28]];
  return parts.map(([start, end]) => [at + start, at + end]);
}

function makerRules(shape: Shape): MakerRule[] {
  const { form, mode, addressSize, bytes } = shape;
  const rules: MakerRule[] = form.makers === undefined ? [] : [form.makers];
  const repeated = form.rep !== undefined && bytes.some((byte, i) => i < 3 && (byte === 0xf2 || byte === 0xf3));
  if (repeated && mode === 64 && addressSize === 32) rules.push('short-string');
  return rules;
}

/** One case of a form, or undefined where the draw has no defined result (16-bit double shifts by more than 16). */
export function makeCase(form: Form, random: Random, legacy = true): Case | undefined {
  if (form.only === 'legacy' && !legacy) return undefined;
  const shape = drawShape(form, random, legacy);
  const { bytes, mode, operand } = shape;
  if (bytes.length > 15) return undefined;
  const stack = drawStack(shape, random);
  const gpr = drawRegisters(shape, stack?.top, random);
  let undefinedFlags = form.undefinedFlags ?? 0;
  if (form.notImmediate !== undefined && bytes[shape.immediateAt] === form.notImmediate) return undefined;
  if (form.shift) {
    const bits = form.sized ? shape.operandSize : 8;
    const count = shiftCount(shape, gpr);
    if (form.shift === 'double' && bits === 16 && (count & 31) > 16) return undefined;
    undefinedFlags |= undefinedByShift(form, count, bits);
  }
  const code = new Uint8Array(16).fill(0xcc);
  code.set(bytes);
  const status = random.u32() & (FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF);
  const fx = fxImage(random);
  if (form.text) drawTexts(fx, random);
  if (outsideDomain(form, fx) || storesIntoCode(shape, gpr)) return undefined;
  const approximate = form.approximate === 'xmm' ? operand!.reg | ((shape.rex & 4) << 1) : form.approximate;
  return {
    name: mode === 64 ? form.name : `${form.name} (${mode})`,
    code,
    gpr,
    flags:
      0x202 |
      status |
      (random.chance(5) ? FLAG.AC : 0) |
      (form.rep && random.chance(25) ? FLAG.DF : 0) |
      (form.stack === 'iret' && random.chance(4) ? FLAG.NT : 0),
    offset: shape.offset,
    fx,
    undefinedFlags,
    usesFpu: form.fpu === true,
    undefinedFsw: form.undefinedFsw ?? 0,
    mode,
    usesFs: mode === 64 && shape.segment === FS,
    undefinedData: undefinedData(shape, gpr),
    ...(approximate === undefined ? {} : { approximate }),
    ...(stack === undefined ? {} : { frame: stack.frame }),
    makers: makerRules(shape),
  };
}

/** `legacy`: with cases of 32- and 16-bit code. */
export function makeCases(forms: readonly Form[], count: number, seed: number, legacy = true): Case[] {
  const random = new Random(seed);
  const cases: Case[] = [];
  for (let n = 0; cases.length < count; n++) {
    const made = makeCase(forms[(seed + n) % forms.length]!, random, legacy);
    if (made) cases.push(made);
  }
  return cases;
}
