/**
 * Short paths for events through 64-bit interrupt and trap gates and for IRET in 64-bit mode: tables and stacks in pages that the TLB has, plain
 * accessed descriptors in the GDT, and no fault on the way. In all other cases they change nothing, and the general path runs (transfer-interrupt.ts,
 * transfer-iret.ts). SDM 3A 6.14, SDM 2 IRET.
 */
import {
  SEG_BASE,
  SEG_CS,
  SEG_LIMIT,
  SEG_SS,
  SEG_TR,
  VCPU_GDT_BASE,
  VCPU_GDT_LIMIT,
  VCPU_IDT_BASE,
  VCPU_IDT_LIMIT,
  VCPU_RIP,
  VCPU_RSP,
} from '../abi/index';
import { F_IF, F_NT, F_RF, F_TF, F_VM, setSysFlags, sysFlags } from './flags';
import { readHost, superRead, superWrite } from './mmu';
import { cpl, is64, isCanonical, isLong, modeChanged, privilegeChanged, segRecord, setCpl } from './mmu-mode';
import { ATTR_LONG, attrOf, isNull, mayBeNullStack, putNull, putSegment, selectorOf, setDescriptor } from './segments';
import { cpu } from './state';
import { dropInnerSegments, returnFlags } from './transfer-return';

/** Second word of a gate: P, and the type without the bit that marks a trap gate. */
const GATE_KNOWN: u32 = 0x9e00;
const GATE_WANTED: u32 = 0x8e00;
/** Second word of a descriptor: P, S, type; D/B and L. Code: 64-bit, not conforming, accessed. Stack: data, writable, grows up, accessed. */
const CODE_KNOWN: u32 = 0x609d00;
const CODE_WANTED: u32 = 0x209900;
const STACK_KNOWN: u32 = 0x9b00;
const STACK_WANTED: u32 = 0x9300;

@inline
function dplOfHigh(high: u32): u32 {
  return (high >> 13) & 3;
}

/** The frame: host address of its first qword, of the part in the next page, if any, and the offset where that part begins. */
let lowHost: usize = 0;
let highHost: usize = 0;
let highFrom: u64 = 0;
/** A frame of `bytes` bytes at va, whose first and last qwords (aligned) lie at these host addresses. False: one of them is 0. */
function openFrame(first: usize, last: usize, va: u64, bytes: u64): bool {
  lowHost = first;
  highHost = last - <usize>(bytes - 8);
  highFrom = 4096 - (va & 4095);
  return first != 0 && last != 0;
}
/** Host address of the qword at `offset` in the frame. */
@inline
function place(offset: u64): usize {
  return (offset < highFrom ? lowHost : highHost) + <usize>offset;
}

/** Both words of a selector's descriptor in the GDT; 0: take the general path (no valid descriptor is 0). */
function descriptorOf(selector: u32): u64 {
  const at = selector & 0xfff8;
  if (selector & 4 || at == 0 || at + 7 > load<u32>(cpu, VCPU_GDT_LIMIT)) return 0;
  const host = superRead(load<u64>(cpu, VCPU_GDT_BASE) + at, 8);
  return host == 0 ? 0 : load<u64>(host);
}

/** Enters 64-bit code with this descriptor. */
function enter(selector: u32, words: u64, rip: u64, newCpl: u32): void {
  const before = attrOf(SEG_CS);
  setDescriptor(<u32>words, <u32>(words >> 32));
  putSegment(SEG_CS, selector);
  store<u64>(cpu, rip, VCPU_RIP);
  if (newCpl == cpl && attrOf(SEG_CS) == before) return;
  if (is64() && before & ATTR_LONG) privilegeChanged(newCpl);
  else {
    setCpl(newCpl);
    modeChanged();
  }
}

/** Delivers an event. `software`: INT n and the like. `image`: RFLAGS for the frame. */
export function deliverShortly(vector: i32, software: bool, image: u32, hasError: bool, error: u32): bool {
  const at = (<u32>vector) << 4;
  if (!isLong() || at + 15 > load<u32>(cpu, VCPU_IDT_LIMIT)) return false;
  const gate = superRead(load<u64>(cpu, VCPU_IDT_BASE) + at, 16);
  if (gate == 0) return false;
  const low = load<u32>(gate);
  const high = load<u32>(gate, 4);
  if ((high & GATE_KNOWN) != GATE_WANTED || (software && dplOfHigh(high) < cpl)) return false;
  const rip = <u64>((low & 0xffff) | (high & 0xffff0000)) | ((<u64>load<u32>(gate, 8)) << 32);
  const selector = low >> 16;
  const words = descriptorOf(selector);
  const target = dplOfHigh(<u32>(words >> 32));
  if ((<u32>(words >> 32) & CODE_KNOWN) != CODE_WANTED || target > cpl || target == 3 || !isCanonical(rip)) return false;
  let top = load<u64>(cpu, VCPU_RSP);
  const ist = high & 7;
  if (target < cpl || ist != 0) {
    const tr = segRecord(SEG_TR);
    const offset: u32 = ist != 0 ? 0x1c + ist * 8 : 4 + target * 8;
    if (offset + 7 > load<u32>(tr, SEG_LIMIT)) return false;
    const tss = superRead(load<u64>(tr, SEG_BASE) + offset, 8);
    if (tss == 0) return false;
    top = load<u64>(tss);
  }
  const bytes: u64 = hasError ? 48 : 40;
  const rsp = (top & ~(<u64>15)) - bytes;
  if (!isCanonical(rsp) || !openFrame(superWrite(rsp, 8), superWrite(rsp + bytes - 8, 8), rsp, bytes)) return false;
  const base: u64 = hasError ? 8 : 0;
  if (hasError) store<u64>(place(0), error);
  store<u64>(place(base), load<u64>(cpu, VCPU_RIP));
  store<u64>(place(base + 8), selectorOf(SEG_CS));
  store<u64>(place(base + 16), image);
  store<u64>(place(base + 24), load<u64>(cpu, VCPU_RSP));
  store<u64>(place(base + 32), selectorOf(SEG_SS));
  if (target < cpl) putNull(SEG_SS, target);
  store<u64>(cpu, rsp, VCPU_RSP);
  // AC, which affects the mode, stays.
  setSysFlags(sysFlags() & ~(F_TF | F_NT | F_RF | F_VM | (high & 0x100 ? 0 : F_IF)));
  enter((selector & 0xfffc) | target, words, rip, target);
  return true;
}

/** IRET with 64-bit operands, from 64-bit code to 64-bit code. */
export function iretShortly(): bool {
  if (!is64() || sysFlags() & F_NT) return false;
  const at = load<u64>(cpu, VCPU_RSP);
  if (at & 7 || !openFrame(readHost(at, 8), readHost(at + 32, 8), at, 40)) return false;
  const rip = load<u64>(place(0));
  const selector = <u32>load<u16>(place(8));
  const rsp = load<u64>(place(24));
  const stack = <u32>load<u16>(place(32));
  const rpl = selector & 3;
  const words = descriptorOf(selector);
  const high = <u32>(words >> 32);
  if ((high & CODE_KNOWN) != CODE_WANTED || dplOfHigh(high) != rpl || rpl < cpl || !isCanonical(rip)) return false;
  const from = cpl;
  const image = load<u32>(place(16));
  if (isNull(stack)) {
    if (!mayBeNullStack(stack, rpl, true)) return false;
    putNull(SEG_SS, stack);
  } else {
    const stackWords = descriptorOf(stack);
    const stackHigh = <u32>(stackWords >> 32);
    if ((stackHigh & STACK_KNOWN) != STACK_WANTED || dplOfHigh(stackHigh) != rpl || (stack & 3) != rpl) return false;
    setDescriptor(<u32>stackWords, stackHigh);
    putSegment(SEG_SS, stack);
  }
  store<u64>(cpu, rsp, VCPU_RSP);
  enter(selector, words, rip, rpl);
  if (rpl != from) dropInnerSegments();
  returnFlags(image, 8, from);
  return true;
}
