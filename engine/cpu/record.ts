/** Decoded records and block headers, as the core writes and reads them. Layout: abi/record.ts. No other file stores into them. */
import { VCPU_ZERO } from '../abi/index';
import {
  H_CACHED,
  H_COUNT,
  H_ENTRY,
  H_HVA,
  H_LENGTH,
  H_MODE,
  H_NEXT,
  H_PAGE_NEXT,
  HEADER_SIZE,
  R_AFTER,
  R_AUX,
  R_AWAY,
  R_BASE,
  R_BYTES,
  R_CONDITION,
  R_DISP,
  R_DST,
  R_EA_BASE,
  R_EA_SEGMENT,
  R_FALL,
  R_FAR,
  R_FAR_OFFSET,
  R_FPU,
  R_IMM,
  R_INDEX,
  R_KIND,
  R_LEN,
  R_LEVEL,
  R_LOGGED,
  R_NUMBER,
  R_OFF,
  R_OP,
  R_PORT,
  R_SCALE,
  R_SEGMENT,
  R_SELECTOR,
  R_SIMD,
  R_SRC,
  R_STRING_SEGMENT,
  R_TARGET,
  R_WHERE,
} from '../abi/record';

export * from '../abi/record';

/** Zeroes 32 bytes. For so few memory.fill takes longer: engines call out of the compiled code for it. */
@inline
function clear(at: usize): void {
  store<u64>(at, 0);
  store<u64>(at, 0, 8);
  store<u64>(at, 0, 16);
  store<u64>(at, 0, 24);
}

/** An empty record of this operation. */
export function clearRecord(r: usize, op: i32): void {
  clear(r);
  store<u16>(r, <u16>op, R_OP);
  store<u16>(r, VCPU_ZERO, R_BASE);
  store<u16>(r, VCPU_ZERO, R_INDEX);
}
@inline
export function opOf(r: usize): i32 {
  return <i32>load<u16>(r, R_OP);
}
@inline
export function setOp(r: usize, op: i32): void {
  store<u16>(r, <u16>op, R_OP);
}
@inline
export function setDst(r: usize, register: u32): void {
  store<u16>(r, <u16>register, R_DST);
}
@inline
export function setSrc(r: usize, register: u32): void {
  store<u16>(r, <u16>register, R_SRC);
}
@inline
export function setBase(r: usize, register: u32): void {
  store<u16>(r, <u16>register, R_BASE);
}
export function setAddress(r: usize, base: u32, index: u32, scale: u32, disp: i32): void {
  store<u16>(r, <u16>base, R_BASE);
  store<u16>(r, <u16>index, R_INDEX);
  store<u8>(r, <u8>scale, R_SCALE);
  store<i32>(r, disp, R_DISP);
}
@inline
export function moveDisp(r: usize, by: i32): void {
  store<i32>(r, load<i32>(r, R_DISP) + by, R_DISP);
}
@inline
export function setFar(r: usize, disp: i64): void {
  store<i64>(r, disp, R_FAR);
}
@inline
export function moveFar(r: usize, by: i64): void {
  store<i64>(r, load<i64>(r, R_FAR) + by, R_FAR);
}
/** Where the instruction is: bytes, offset in its page, number in its block (finishBlock turns that into the instructions left). */
export function setPlace(r: usize, length: u32, off: u32, number: i32): void {
  store<u8>(r, <u8>length, R_LEN);
  store<u16>(r, <u16>off, R_OFF);
  store<u8>(r, <u8>number, R_AFTER);
}
/** Turns the instruction's number in its block of `count` into the number of instructions left from it on. */
@inline
export function countFromEnd(r: usize, count: i32): void {
  store<u8>(r, <u8>(count - <i32>load<u8>(r, R_AFTER)), R_AFTER);
}
/** Adds AUX_* bits. */
@inline
export function setAux(r: usize, bits: u32): void {
  store<u8>(r, load<u8>(r, R_AUX) | <u8>bits, R_AUX);
}
/** Replaces the operand size and keeps the AUX_* bits. */
@inline
export function setAuxSize(r: usize, size: i32): void {
  store<u8>(r, <u8>size, R_AUX);
}

@inline
export function setImm(r: usize, value: i64): void {
  store<i64>(r, value, R_IMM);
}
@inline
export function setCondition(r: usize, condition: u32): void {
  store<u32>(r, condition, R_CONDITION);
}
@inline
export function setNumber(r: usize, number: u32): void {
  store<u32>(r, number, R_NUMBER);
}
@inline
export function setPort(r: usize, port: i64): void {
  store<i64>(r, port, R_PORT);
}
@inline
export function setFarPointer(r: usize, selector: u32, offset: i64): void {
  store<i64>(r, offset, R_FAR_OFFSET);
  store<u32>(r, selector, R_SELECTOR);
}
@inline
export function setWhere(r: usize, where: u32): void {
  store<u32>(r, where, R_WHERE);
}
@inline
export function setFpuWord(r: usize, word: u32): void {
  store<u32>(r, word, R_FPU);
}
@inline
export function setSimdWord(r: usize, word: u64): void {
  store<u64>(r, word, R_SIMD);
}
@inline
export function setLogged(r: usize, logged: bool): void {
  store<u32>(r, u32(logged), R_LOGGED);
}
@inline
export function setBytes(r: usize, from: usize): void {
  store<u64>(r, load<u64>(from), R_BYTES);
}
@inline
export function setTarget(r: usize, offset: i32): void {
  store<i32>(r, offset, R_TARGET);
}
@inline
export function setEaBase(r: usize, register: u32): void {
  store<u32>(r, register, R_EA_BASE);
}
@inline
export function setEaSegment(r: usize, segment: u32, addressSize: i32): void {
  store<u32>(r, segment | ((<u32>addressSize) << 8), R_EA_SEGMENT);
}
@inline
export function setEaAccess(r: usize, bytes: u32, writes: bool): void {
  store<u32>(r, load<u32>(r, R_EA_SEGMENT) | (bytes << 16) | (writes ? 0x80000000 : 0), R_EA_SEGMENT);
}
@inline
export function setKind(r: usize, kind: u32): void {
  store<u32>(r, kind, R_KIND);
}
@inline
export function setLevel(r: usize, level: u32): void {
  store<u32>(r, level, R_LEVEL);
}
@inline
export function setSegmentWord(r: usize, word: u32): void {
  store<u32>(r, word, R_SEGMENT);
}
@inline
export function setStringSegment(r: usize, segment: i32): void {
  store<u8>(r, <u8>segment, R_STRING_SEGMENT);
}
/** The block that a far transfer last went to (`far-targets.ts`). It is in the cache, and no code has been dropped since the transfer. */
@inline
export function setLastTarget(r: usize, block: usize): void {
  store<u32>(r, <u32>block, R_LAST);
}

/** Links direction `taken` of the branch record (0 or 1: R_FALL or R_TAKEN) to this block. */
@inline
export function branchLink(r: usize, taken: i32): usize {
  return <usize>load<u32>(r + ((<usize>taken) << 2), R_FALL);
}
@inline
export function setBranchLink(r: usize, taken: i32, block: usize): void {
  store<u32>(r + ((<usize>taken) << 2), <u32>block, R_FALL);
}

/** Near branch: leads to this block when it leaves its page. */
@inline
export function setAway(r: usize, block: usize): void {
  store<u32>(r, <u32>block, R_AWAY);
}
/** `cell`: R_BEHIND or R_BEHIND_NEAR of the record of a CALL. */
@inline
export function setBehind(cell: usize, block: usize): void {
  store<u32>(cell, <u32>block);
}

@inline
function header(block: usize): usize {
  return block - HEADER_SIZE;
}
/** Writes a header with the decoder's fields. Returns the block: the address of its first record. */
export function describeBlock(at: usize, hva: usize, key: u32, count: i32, length: u32): usize {
  clear(at);
  store<u32>(at, <u32>hva, H_HVA);
  store<u32>(at, key, H_MODE);
  store<i32>(at, count, H_COUNT);
  store<u32>(at, length, H_LENGTH);
  return at + HEADER_SIZE;
}
@inline
export function blockHva(block: usize): usize {
  return <usize>load<u32>(header(block), H_HVA);
}
@inline
export function isBlockAt(block: usize, hva: usize, key: u32): bool {
  return load<u32>(header(block), H_HVA) == <u32>hva && load<u32>(header(block), H_MODE) == key;
}
@inline
export function blockCount(block: usize): i32 {
  return load<i32>(header(block), H_COUNT);
}
@inline
export function blockLength(block: usize): u32 {
  return load<u32>(header(block), H_LENGTH);
}
@inline
export function nextInBucket(block: usize): usize {
  return <usize>load<u32>(header(block), H_NEXT);
}
/** The cell that holds the next block of the bucket, which is a link like the bucket itself. */
@inline
export function bucketLink(block: usize): usize {
  return header(block) + H_NEXT;
}
/** The cell that holds the next block of the page. */
@inline
export function pageLink(block: usize): usize {
  return header(block) + H_PAGE_NEXT;
}
@inline
export function nextInPage(block: usize): usize {
  return <usize>load<u32>(header(block), H_PAGE_NEXT);
}
@inline
export function isCached(block: usize): bool {
  return load<u32>(header(block), H_CACHED) != 0;
}
/** H_ENTRY: see regions.ts. */
@inline
export function entryOf(block: usize): usize {
  return <usize>load<u32>(header(block), H_ENTRY);
}
export function setEntry(block: usize, entry: usize): void {
  store<u32>(header(block), <u32>entry, H_ENTRY);
}
export function setCached(block: usize, cached: bool): void {
  store<u32>(header(block), u32(cached), H_CACHED);
}
export function setBlockChain(block: usize, nextOfBucket: u32, nextOfPage: u32): void {
  store<u32>(header(block), nextOfBucket, H_NEXT);
  store<u32>(header(block), nextOfPage, H_PAGE_NEXT);
}
