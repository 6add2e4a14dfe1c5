/** The initial contents of the data pages: runs of equal bytes, small numbers, and structures that operands may need. */
import { CODE, DATA, DATA_SIZE } from './case';
import { fxImage, Random } from './random';
import { CODE_SELECTORS, LDT, SELECTORS, USER32_CODE } from './segments';

/** Offsets in every 256 bytes. An address in the code page; far pointers with 32-, 16- and 64-bit offsets; a selector. */
export const RETURN_ADDRESS = 0x60;
export const FAR_POINTER = { 32: 0x70, 16: 0x78, 64: 0xe0 } as const;
/** The same with a data selector. */
export const DATA_POINTER = { 32: 0xd0, 16: 0xd8, 64: 0xd0 } as const;
export const SELECTOR = 0x7c;
/** A pair of bounds, 16- and 32-bit. */
export const BOUNDS = { 16: 0xc0, 32: 0xc8 } as const;
/** Offsets in the data of images for FXRSTOR, and of those for FRSTOR and FLDENV. */
export const FX_IMAGES = [0x1800, 0x1a00] as const;
export const X87_IMAGES = [0x1000, 0x1100, 0x1200] as const;

function far(view: DataView, at: number, offset: number, bytes: 2 | 4 | 8, selector: number): void {
  if (bytes === 8) view.setBigUint64(at, BigInt(offset), true);
  else if (bytes === 4) view.setUint32(at, offset, true);
  else view.setUint16(at, offset, true);
  view.setUint16(at + bytes, selector, true);
}

/** Where a far branch to `selector` should go: 16-bit code has the page at 0. */
const codeOffset = (selector: number, within: number): number => (selector === LDT.code16 ? within : CODE + within);

export function dataPattern(): Uint8Array {
  const bytes = new Uint8Array(DATA_SIZE);
  let x = 0x9e3779b9;
  for (let i = 0; i < DATA_SIZE; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    // Runs of equal bytes, zeros and small numbers, so that compares, scans and divisions have an effect.
    bytes[i] = (i & 0x1f0) === 0 ? 0 : (i & 0x1f0) === 0x10 ? i & 3 : x;
  }
  const view = new DataView(bytes.buffer);
  const targets = [...CODE_SELECTORS, LDT.code16 ^ 1, USER32_CODE ^ 4, LDT.readOnly, 0x57, 0];
  for (let i = 0; i < DATA_SIZE; i += 256) {
    const block = i / 256;
    view.setBigUint64(i + 0x40, BigInt(DATA + ((i * 7) % DATA_SIZE)), true);
    view.setFloat64(i + 0x48, (i - 4000) / 3, true);
    view.setFloat32(i + 0x50, i / 7 - 100, true);
    view.setFloat32(i + 0x54, 1e10 / (i + 1), true);
    view.setBigUint64(i + RETURN_ADDRESS, BigInt(CODE + block * 8 + 4), true);
    view.setFloat64(i + 0x58, i % 512 ? 1e300 * i : Number.NaN, true);
    // A selector follows, so that RETF finds one behind the return address.
    const selector = targets[block % targets.length]!;
    view.setBigUint64(i + RETURN_ADDRESS + 8, BigInt(selector), true);
    far(view, i + FAR_POINTER[32], codeOffset(selector, 0x40 + block), 4, selector);
    far(view, i + FAR_POINTER[16], 0x40 + block, 2, selector);
    // Every third one with more than 32 bits.
    far(view, i + FAR_POINTER[64], codeOffset(selector, 0x40 + block) + (block % 3 === 2 ? 2 ** 32 : 0), 8, selector);
    const data = SELECTORS[(block * 5) % SELECTORS.length]!;
    far(view, i + DATA_POINTER[32], 0x1234567 * block, 4, data);
    far(view, i + DATA_POINTER[16], 0x123 * block, 2, data);
    view.setUint16(i + SELECTOR, SELECTORS[block % SELECTORS.length]!, true);
    view.setInt16(i + BOUNDS[16], -5 + block, true);
    view.setInt16(i + BOUNDS[16] + 2, 60, true);
    view.setInt32(i + BOUNDS[32], -5, true);
    view.setInt32(i + BOUNDS[32] + 4, DATA + block * 200, true);
  }
  const random = new Random(4711);
  for (const at of FX_IMAGES) bytes.set(fxImage(random), at);
  for (const at of X87_IMAGES) {
    const image = fxImage(random);
    bytes.set([image[0]!, image[1]!, 0, 0, image[2]!, image[3]!, 0, 0, random.below(256), random.below(256)], at);
    for (let i = 0; i < 8; i++) bytes.set(image.subarray(32 + 16 * i, 42 + 16 * i), at + 28 + 10 * i);
  }
  return bytes;
}
