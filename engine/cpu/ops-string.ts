/**
 * String instructions. A REP form works in chunks that end at the next page boundary of source or destination; each chunk retires as one instruction,
 * and RIP stays on it while RCX is not 0, so interrupts and slices fall between chunks. If nothing is due there, the next chunk follows at once. A
 * chunk on a device, or with TF set, is one element. Chunks depend only on addresses, never on the state of caches. SDM 2: MOVS CMPS STOS LODS SCAS
 * INS OUTS, REP.
 */
import {
  CODE_PAGES,
  VCPU_GPR,
  VCPU_LEFT,
  VCPU_RAX,
  VCPU_RCX,
  VCPU_RDI,
  VCPU_RDX,
  VCPU_RIP,
  VCPU_RSI,
  VCPU_STOP_BEHIND,
  WATCH_READ,
  WATCH_WRITE,
} from '../abi/index';
import { codeWritten } from './code-pages';
import { F_DF, F_RF, F_TF, FL_FIRST, FL_RESULT, FL_WORD, FLAGS_SUB, setSysFlags, sysFlags, zero } from './flags';
import { mayGoOn } from './going-on';
import { ioRead, ioWrite } from './imports';
import { canWrite, checkAlignment, exactCount, leaveAfter, memVal, rd, ripOf, wr, writeReg } from './mem';
import { hostRead, hostWrite, is64, isCanonical, resolvePage, tlbBase } from './mmu';
import { checkPort, countPio } from './ops-io';
import { linearOf } from './ops-misc';
import { AUX_ASIZE_SHIFT, AUX_REP, AUX_REPNE, AUX_SIZE, R_AUX, R_KIND, R_STRING_SEGMENT, VREG_EA } from './record';
import { cpu, raise, VEC_GP, vcpuIndex } from './state';
import { compareElements, copyDown, copyUp, fillElements, found, lastElement, lastFirst, lastSecond, searchElement } from './string-bulk';
import { ACCESS_R, ACCESS_W, hitHost } from './tlb/fill';
import { ARM_DATA, ARM_GUEST_DATA, ARM_PORT, armed, guestWatches, noteData, notePort } from './watch';

const MOVS: u32 = 0xa4;
const CMPS: u32 = 0xa6;
const STOS: u32 = 0xaa;
const LODS: u32 = 0xac;
const INS: u32 = 0x6c;

let kind: u32 = 0;
let size: i32 = 1;
let asize: u32 = 3;
let mask: u64 = 0;
let backward: bool = false;
let sourceVa: u64 = 0;
let targetVa: u64 = 0;

@inline
function usesSource(): bool {
  return kind == MOVS || kind == CMPS || kind == LODS;
}
@inline
function usesTarget(): bool {
  return kind != LODS;
}
@inline
function writesTarget(): bool {
  return kind == MOVS || kind == STOS;
}

function setCounter(register: usize, value: u64): void {
  if (asize == 1) store<u16>(cpu + register, <u16>value);
  else store<u64>(cpu + register, value & mask);
}

function begin(p: usize): void {
  const aux = <u32>load<u8>(p, R_AUX);
  kind = load<u32>(p, R_KIND);
  size = 1 << (aux & AUX_SIZE);
  asize = aux >> AUX_ASIZE_SHIFT;
  mask = asize == 3 ? 0xffffffffffffffff : asize == 2 ? 0xffffffff : 0xffff;
  backward = (sysFlags() & F_DF) != 0;
}

/** Elements up to the end of the page (forward) or its start (backward) in the address's own offset space; at least 1. */
function elementsInPage(va: u64): u64 {
  const off = va & 4095;
  const n = backward ? (off + <u64>size <= 4096 ? off / <u64>size + 1 : 1) : (4096 - off) / <u64>size;
  return n == 0 ? 1 : n;
}
/** Elements until the offset register wraps. */
function elementsToWrap(offset: u64): u64 {
  if (asize == 3) return 4096;
  const n = backward ? offset / <u64>size + 1 : (mask - offset + 1) / <u64>size;
  return n == 0 ? 1 : n;
}

/** Linear addresses of the first elements. Checks segment limits for one element; 0: fault. */
function locate(p: usize): i32 {
  if (usesSource()) {
    if (!linearOf(<i32>load<u8>(p, R_STRING_SEGMENT), load<u64>(cpu, VCPU_RSI) & mask, size, false)) return 0;
    sourceVa = load<u64>(cpu, VREG_EA);
  }
  if (usesTarget()) {
    if (!linearOf(0, load<u64>(cpu, VCPU_RDI) & mask, size, writesTarget())) return 0;
    targetVa = load<u64>(cpu, VREG_EA);
  }
  return 1;
}

/** Do all `n` elements from the register's offset on pass the segment checks? Called only outside 64-bit mode. */
function wholeChunk(seg: i32, offset: u64, n: u64, write: bool): bool {
  const bytes = n * <u64>size;
  const first = backward ? offset - (bytes - <u64>size) : offset;
  return linearOf(seg, first, <i32>bytes, write) != 0;
}

function advance(n: u64): void {
  const step = n * <u64>size;
  if (usesSource()) setCounter(VCPU_RSI, load<u64>(cpu, VCPU_RSI) + (backward ? 0 - step : step));
  if (usesTarget()) setCounter(VCPU_RDI, load<u64>(cpu, VCPU_RDI) + (backward ? 0 - step : step));
}

function compareFlags(a: u64, b: u64): void {
  const bits = (<u32>size) << 3;
  store<u32>(cpu, FLAGS_SUB | ((64 - bits) << 8), FL_WORD);
  store<u64>(cpu, a, FL_FIRST);
  store<u64>(cpu, size == 8 ? a - b : (a - b) & (((<u64>1) << (<u64>bits)) - 1), FL_RESULT);
}

/** One element at sourceVa / targetVa. Registers move afterwards. */
function element(p: usize): i32 {
  switch (kind) {
    case MOVS:
      if (!rd(p, sourceVa, size)) return 0;
      return wr(p, targetVa, size, memVal);
    case STOS:
      return wr(p, targetVa, size, load<u64>(cpu, VCPU_RAX));
    case LODS:
      if (!rd(p, sourceVa, size)) return 0;
      writeReg(VCPU_GPR, size, memVal);
      return 1;
    case CMPS: {
      if (!rd(p, sourceVa, size)) return 0;
      const a = memVal;
      if (!rd(p, targetVa, size)) return 0;
      compareFlags(a, memVal);
      return 1;
    }
    default: {
      if (!rd(p, targetVa, size)) return 0;
      const a = load<u64>(cpu, VCPU_RAX);
      compareFlags(size == 8 ? a : a & (((<u64>1) << (<u64>(size << 3))) - 1), memVal);
      return 1;
    }
  }
}

/** Host address of the byte at va for access to its page. 0 with nothing pending: a device. */
function bulkHost(va: u64, write: bool): usize {
  const hit = write ? hostWrite<u8>(va) : hostRead<u8>(va);
  if (hit != 0) return hit;
  if (is64() && !isCanonical(va)) return raise(VEC_GP, 0);
  if (!checkAlignment(va, <u64>(size - 1))) return 0;
  if (!resolvePage(va, write ? ACCESS_W : ACCESS_R)) return 0;
  bulkDevice = hitHost == 0;
  return hitHost;
}
let bulkDevice: bool = false;

/** MOVS or STOS of n elements, each operand inside one page. 1 done, 0 fault, 2: a device, go element by element. */
function bulk(p: usize, n: u64): i32 {
  exactCount(p);
  const bytes = <usize>(n * <u64>size);
  let from: usize = 0;
  if (kind == MOVS) {
    from = bulkHost(sourceVa, false);
    if (from == 0) return isDevice() ? 2 : 0;
  }
  const to = bulkHost(targetVa, true);
  if (to == 0) return isDevice() ? 2 : 0;
  const low = backward ? to - (bytes - <usize>size) : to;
  if (load<u32>(<usize>CODE_PAGES + ((to >> 12) << 2)) != 0) codeWritten(low, <i32>bytes);
  if (kind == STOS) fillElements(low, <usize>n, size, load<u64>(cpu, VCPU_RAX));
  else if (backward) copyDown(to, from, <usize>n, size);
  else copyUp(to, from, bytes, size);
  if (armed & ARM_DATA) noteBulk(bytes);
  return 1;
}
/** What `bulk` has read and written. */
function noteBulk(bytes: usize): void {
  const below: u64 = backward ? <u64>bytes - <u64>size : 0;
  if (kind == MOVS) noteData(sourceVa - below, <i32>bytes, WATCH_READ, tlbBase, 0);
  noteData(targetVa - below, <i32>bytes, WATCH_WRITE, tlbBase, 0);
}
/** bulkHost returned 0 because of a device, not a fault. */
function isDevice(): bool {
  const yes = bulkDevice;
  bulkDevice = false;
  return yes;
}

/** CMPS, SCAS or LODS of up to n elements in host pages; how many were done. */
function scan(from: usize, to: usize, n: u64, rep: u32): u64 {
  const step: isize = backward ? -(<isize>size) : <isize>size;
  const count = <usize>n;
  if (kind == LODS) {
    writeReg(VCPU_GPR, size, lastElement(from, count, size, step));
    return n;
  }
  const untilEqual = rep == AUX_REPNE;
  const done =
    kind == CMPS
      ? compareElements(from, to, count, size, step, untilEqual)
      : searchElement(load<u64>(cpu, VCPU_RAX), to, count, size, step, untilEqual);
  compareFlags(lastFirst, lastSecond);
  stopScan = found;
  return <u64>done;
}
let stopScan: bool = false;

export function opString(p: usize): i32 {
  begin(p);
  const rep = <u32>load<u8>(p, R_AUX) & (AUX_REP | AUX_REPNE);
  if (!rep) {
    if (!locate(p) || !element(p)) return 0;
    advance(1);
    return leaveAfter(p);
  }
  while (true) {
    const count = load<u64>(cpu, VCPU_RCX) & mask;
    if (count == 0) return leaveAfter(p);
    const n = repeat(p, rep, count);
    if (n == 0) return 0;
    if (count == n || stopScan) return leaveAfter(p);
    goOn(p);
    // Continues here if the interpreter would start the next chunk at once. It counts as a block of one instruction.
    if (load<u32>(cpu, VCPU_STOP_BEHIND) || !mayGoOn(p)) return 2;
    store<i32>(cpu, load<i32>(cpu, VCPU_LEFT) - 1, VCPU_LEFT);
  }
}

/** Runs the next chunk of a REP form with `count` elements left. Returns how many it has done, 0: fault. */
function repeat(p: usize, rep: u32, count: u64): u64 {
  if (!locate(p)) return 0;
  let n = count;
  if (usesSource()) n = min(n, min(elementsInPage(sourceVa), elementsToWrap(load<u64>(cpu, VCPU_RSI) & mask)));
  if (usesTarget()) n = min(n, min(elementsInPage(targetVa), elementsToWrap(load<u64>(cpu, VCPU_RDI) & mask)));
  if (n > 1 && !is64()) {
    if (usesSource() && !wholeChunk(<i32>load<u8>(p, R_STRING_SEGMENT), load<u64>(cpu, VCPU_RSI) & mask, n, false)) n = 1;
    if (usesTarget() && !wholeChunk(0, load<u64>(cpu, VCPU_RDI) & mask, n, writesTarget())) n = 1;
  }
  // A debug trap comes after each iteration (SDM 3B 18.3.1.4).
  if (
    sysFlags() & F_TF ||
    (armed & ARM_GUEST_DATA && ((usesSource() && guestWatches(sourceVa)) || (usesTarget() && guestWatches(targetVa))))
  )
    n = 1;
  stopScan = false;
  n = chunk(p, n, rep);
  if (n == 0) return 0;
  advance(n);
  setCounter(VCPU_RCX, count - n);
  return n;
}

/** Iterations are left. RF keeps an instruction breakpoint from firing at each of them (SDM 3B 18.3.1.1). */
function goOn(p: usize): i32 {
  setSysFlags(sysFlags() | F_RF);
  store<u64>(cpu, ripOf(p), VCPU_RIP);
  return 2;
}

/** Processes up to n elements; returns how many, 0: fault. */
function chunk(p: usize, n: u64, rep: u32): u64 {
  const crossing = (usesSource() && (sourceVa & 4095) + <u64>size > 4096) || (usesTarget() && (targetVa & 4095) + <u64>size > 4096);
  if (writesTarget() && !crossing) {
    const status = bulk(p, n);
    if (status != 2) return status ? n : 0;
    return element(p) ? 1 : 0;
  }
  if (crossing) n = 1;
  if (writesTarget()) return element(p) ? 1 : 0;
  // Reads from a device are one element a chunk: the first page of each operand decides whether it is a device.
  let from: usize = 0;
  let to: usize = 0;
  if (n > 1) {
    exactCount(p);
    if (usesSource()) {
      from = bulkHost(sourceVa, false);
      if (from == 0) {
        if (!isDevice()) return 0;
        n = 1;
      }
    }
    if (usesTarget()) {
      to = bulkHost(targetVa, false);
      if (to == 0) {
        if (!isDevice()) return 0;
        n = 1;
      }
    }
  }
  if (n > 1) {
    const done = scan(from, to, n, rep);
    if (armed & ARM_DATA) noteScan(done);
    return done;
  }
  if (!element(p)) return 0;
  stopScan = kind != LODS && (zero() != 0) == (rep == AUX_REPNE);
  return 1;
}
/** What `scan` has read. */
function noteScan(done: u64): void {
  const bytes = <i32>(done * <u64>size);
  const below: u64 = backward ? <u64>(bytes - size) : 0;
  if (usesSource()) noteData(sourceVa - below, bytes, WATCH_READ, tlbBase, 0);
  if (usesTarget()) noteData(targetVa - below, bytes, WATCH_READ, tlbBase, 0);
}

/** INS and OUTS; with REP one element retires as one instruction. */
export function opStringIo(p: usize): i32 {
  begin(p);
  const rep = <u32>load<u8>(p, R_AUX) & (AUX_REP | AUX_REPNE);
  const count = load<u64>(cpu, VCPU_RCX) & mask;
  const port = <u32>load<u16>(cpu, VCPU_RDX);
  const input = kind == INS;
  exactCount(p);
  // The permission check applies to a count of 0, too.
  if (!checkPort(port, size)) return 0;
  if (rep && count == 0) return leaveAfter(p);
  const register = input ? VCPU_RDI : VCPU_RSI;
  const offset = load<u64>(cpu + register) & mask;
  if (!linearOf(input ? 0 : <i32>load<u8>(p, R_STRING_SEGMENT), offset, size, input)) return 0;
  const va = load<u64>(cpu, VREG_EA);
  if (input) {
    if (!canWrite(p, va, size)) return 0;
    countPio();
    if (!wr(p, va, size, <u64>(<u32>ioRead(vcpuIndex(), port, size)))) return 0;
  } else {
    if (!rd(p, va, size)) return 0;
    countPio();
    ioWrite(vcpuIndex(), port, size, <u32>memVal);
  }
  if (armed & ARM_PORT) notePort(port, size, input ? WATCH_READ : WATCH_WRITE);
  setCounter(register, offset + (backward ? 0 - <u64>size : <u64>size));
  if (!rep) return leaveAfter(p);
  setCounter(VCPU_RCX, count - 1);
  return count == 1 ? leaveAfter(p) : goOn(p);
}
