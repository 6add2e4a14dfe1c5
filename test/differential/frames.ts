/**
 * Frames for IRET and RETF: mostly valid ones with one or two errors, so that each check is exercised and the order of two checks shows.
 */
import { CODE, DATA, DATA_SIZE, FLAG, FRAME_SIZE, type Frame, type Mode, STATUS_FLAGS } from './case';
import { littleEndian, type Random } from './random';
import { CODE_SELECTORS, GDT, LDT, LDT_ENTRIES, SELECTORS, USER_DATA } from './segments';

/** All of them: TF, IF, IOPL, RF, VM, VIF, VIP and ID besides the named ones. */
const ANY_FLAG = STATUS_FLAGS | FLAG.DF | FLAG.NT | FLAG.AC | 0x3b3300;

/**
 * Only with an aligned frame: on a virtualized host, an IRET that pops AC from a misaligned frame never completed. It used no processor time: the
 * hypervisor restarted it over and over (an #AC while RFLAGS.AC is still clear looks like a split lock).
 */
const AC = BigInt(FLAG.AC);

/** The same selector with another RPL or table, or one past the end of its table. */
function spoil(selector: number, random: Random): number {
  const kind = random.below(4);
  if (kind === 0) return selector ^ (1 + random.below(3));
  if (kind === 1) return selector ^ 4;
  if (kind === 2) return ((8 * (random.chance(50) ? GDT.length : LDT_ENTRIES.length) + 8 * random.below(3)) | random.below(8)) & 0xffff;
  return random.pick(SELECTORS);
}

function drawOffset(selector: number, size: number, random: Random): bigint {
  const kind = random.below(20);
  if (kind < 15) return BigInt((selector === LDT.code16 ? 0 : CODE) + 0x40 + random.below(200));
  if (size === 8) {
    const wide = [0x7ffffffffff8n, 0x800000000000n, 0xffff7ffffffffff8n, 0xffff800000000000n, 0x8000000010000040n, 0x110000040n];
    if (kind < 18) return random.pick(wide);
  }
  return random.pick([0xfffn, 0x1000n, 0xffffn, 0x10000n, BigInt(DATA), 0xfffffff0n]);
}

function drawFlags(random: Random): number {
  return 2 | (random.u32() & (random.chance(60) ? STATUS_FLAGS | FLAG.DF | 0x200 : ANY_FLAG));
}

/** A frame, sometimes across the end of the pages, and the stack pointer as an offset in them. `size`: of the operands, in bytes. */
export function drawFrame(kind: 'iret' | 'retf', mode: Mode, size: 2 | 4 | 8, random: Random): { top: number; frame: Frame } {
  let selector = random.pick(CODE_SELECTORS);
  const offset = drawOffset(selector, size, random);
  if (random.chance(25)) selector = spoil(selector, random);
  const words = [offset, BigInt(selector | (random.chance(10) ? 0xabc0000 : 0))];
  if (kind === 'iret') words.push(BigInt(drawFlags(random)));
  if (kind === 'iret' && mode === 64) {
    const stack = random.chance(50) ? USER_DATA : random.pick([LDT.stack16, LDT.data16, LDT.down, LDT.absent, LDT.readOnly, 0, 3]);
    words.push(random.chance(80) ? BigInt(DATA + random.below(DATA_SIZE)) : random.u64());
    words.push(BigInt(random.chance(25) ? spoil(stack, random) : stack));
  }
  const bytes = words.flatMap((word) => littleEndian(word, size));
  // At the end of the pages, between two words: Intel reads two bytes of a selector's word, AMD all of it.
  let top = random.chance(8) ? random.pick([0, DATA_SIZE]) - size * random.below(6) : random.below(DATA_SIZE - FRAME_SIZE);
  if (kind === 'iret' && words[2]! & AC) top &= ~7;
  const before = Math.max(0, -top);
  return { top, frame: { at: top + before, bytes: new Uint8Array(bytes.slice(before, Math.max(0, DATA_SIZE - top))) } };
}
