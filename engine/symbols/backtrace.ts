/**
 * Backtraces: by ORC in a kernel that has it, by frame pointers where they lead from one call to the next, and otherwise by scanning the
 * stack for return addresses, which also finds some of calls that have returned.
 */
import { Orc, OrcReg } from './orc';
import type { FoundBy, Frame, Stack } from './stack';
import { placeName, type SymbolPlace, type SymbolTable } from './table';

export interface Backtrace {
  frames: Frame[];
  /** Why the frames end here; absent: the end of the stack. */
  end?: string;
}

const MOST_FRAMES = 64;
/** Words of the stack that are scanned for return addresses. */
const MOST_WORDS = 512;
const MOST_GUESSES = 16;
/** Compilers make no larger frames; bytes. */
const MOST_FRAME = 0x100000n;
const KERNEL_HALF = 1n << 63n;
/** struct pt_regs, and its tail that the processor pushes (arch/x86/include/asm/ptrace.h). */
const PT = { bp: 32n, r13: 16n, r10: 56n, dx: 96n, di: 112n, ip: 128n, cs: 136n, sp: 152n } as const;
const IRET = { ip: 0n, cs: 8n, sp: 24n } as const;

type Named = (address: bigint) => SymbolPlace | undefined;

/**
 * `kernel`: the symbols of the running Linux, if there is one; `moduleOrc`: the tables of the module that contains an address. `name`: the symbol of
 * an address in code.
 */
export function backtrace(
  stack: Stack,
  kernel: SymbolTable | undefined,
  moduleOrc: (address: bigint) => Orc | undefined,
  name: Named,
): Backtrace {
  const frames: Frame[] = [frame(stack.ip, 'registers', name)];
  if (stack.bits === 16) return { frames, end: '16-bit code: its frames cannot be distinguished' };
  const orc = kernel && stack.ip >= KERNEL_HALF ? Orc.of(kernel, stack.read) : undefined;
  if (orc) {
    const end = byOrc(stack, (ip) => moduleOrc(ip) ?? orc, frames, name);
    if (frames.length > 1 || end === undefined) return { frames, ...(end !== undefined && { end }) };
  }
  if (byFramePointers(stack, frames, name)) return { frames };
  guess(stack, frames, name);
  return { frames };
}

/** Names the call before a return address: the call may be the last instruction of its function. */
function frame(address: bigint, by: FoundBy, name: Named): Frame {
  const place = by === 'registers' ? name(address) : calledFrom(address, name);
  return { address, by, ...(place && { symbol: placeName(place) }) };
}

function calledFrom(address: bigint, name: Named): SymbolPlace | undefined {
  const at = name(address);
  const before = name(address - 1n);
  if (at && before?.name === at.name) return at;
  return before ? { ...before, offset: before.offset + 1 } : at;
}

interface OrcState {
  ip: bigint;
  sp: bigint;
  bp: bigint;
  /** Where all registers of this frame are saved. */
  regs?: bigint;
  /** Execution continues at the address itself, not after a call. */
  exact: boolean;
}

/** Adds frames. Returns why it stopped, undefined at the end of the stack. */
function byOrc(stack: Stack, orc: (ip: bigint) => Orc, frames: Frame[], name: Named): string | undefined {
  const { registers } = stack;
  let state: OrcState = { ip: stack.ip, sp: stack.sp, bp: stack.bp, exact: true };
  while (frames.length < MOST_FRAMES) {
    const ip = state.exact ? state.ip : state.ip - 1n;
    const entry = orc(ip).at(ip);
    if (!entry || entry.type === 'undefined') return 'the kernel has no ORC entry for this address';
    if (entry.type === 'end') return undefined;
    const live = frames.length === 1;
    const saved = (offset: bigint, index: number): bigint | undefined =>
      live ? registers.gpr[index]! : state.regs === undefined ? undefined : stack.word(state.regs + offset);
    let sp: bigint | undefined;
    const offset = BigInt(entry.spOffset);
    if (entry.spReg === OrcReg.sp) sp = state.sp + offset;
    else if (entry.spReg === OrcReg.bp) sp = state.bp + offset;
    else if (entry.spReg === OrcReg.spIndirect) sp = plus(stack.word(state.sp), offset);
    else if (entry.spReg === OrcReg.bpIndirect) sp = stack.word(state.bp + offset);
    else if (entry.spReg === OrcReg.r10) sp = saved(PT.r10, 10);
    else if (entry.spReg === OrcReg.r13) sp = saved(PT.r13, 13);
    else if (entry.spReg === OrcReg.di) sp = saved(PT.di, 7);
    else if (entry.spReg === OrcReg.dx) sp = saved(PT.dx, 2);
    if (sp === undefined || sp < KERNEL_HALF) return 'its stack pointer is not known here';
    const next = step(stack, entry.type, sp);
    if (!next) return `0x${sp.toString(16)} on the stack cannot be read`;
    const { userMode } = next;
    if (entry.bpReg === OrcReg.prevSp) next.bp = stack.word(sp + BigInt(entry.bpOffset)) ?? 0n;
    else if (entry.bpReg === OrcReg.bp) next.bp = stack.word(state.bp + BigInt(entry.bpOffset)) ?? 0n;
    else if (entry.type === 'regs') next.bp = stack.word(sp + PT.bp) ?? 0n;
    else next.bp = state.bp;
    frames.push(frame(next.ip, 'ORC', name));
    if (userMode) return 'user mode';
    if (next.ip < KERNEL_HALF) return 'the return address is not kernel code';
    if (entry.type === 'call' && next.sp <= state.sp) return 'the stack does not continue upwards';
    state = next;
  }
  return `${MOST_FRAMES} frames are shown at most`;
}

const plus = (value: bigint | undefined, offset: bigint): bigint | undefined => (value === undefined ? undefined : value + offset);

function step(stack: Stack, type: 'call' | 'regs' | 'regs-partial', sp: bigint): (OrcState & { userMode: boolean }) | undefined {
  if (type === 'call') {
    const ip = stack.word(sp - 8n);
    return ip === undefined ? undefined : { ip, sp, bp: 0n, exact: false, userMode: false };
  }
  const at = type === 'regs' ? PT : IRET;
  const [ip, cs, next] = [stack.word(sp + at.ip), stack.word(sp + at.cs), stack.word(sp + at.sp)];
  if (ip === undefined || cs === undefined || next === undefined) return undefined;
  return { ip, sp: next, bp: 0n, exact: true, userMode: (cs & 3n) !== 0n, ...(type === 'regs' && { regs: sp }) };
}

/** Returns false and adds nothing if RBP is not a frame pointer. */
function byFramePointers(stack: Stack, frames: Frame[], name: Named): boolean {
  const word = BigInt(stack.wordBytes);
  const found: Frame[] = [];
  let bp = stack.bp;
  for (let below = stack.sp - word; found.length < MOST_FRAMES && bp > below && bp - below < MOST_FRAME && bp % word === 0n; ) {
    const address = stack.word(bp + word);
    if (address === undefined || !stack.isBehindCall(address)) break;
    found.push(frame(address, 'frame pointer', name));
    below = bp;
    bp = stack.word(bp) ?? 0n;
  }
  frames.push(...found);
  return found.length > 0;
}

function guess(stack: Stack, frames: Frame[], name: Named): void {
  const word = BigInt(stack.wordBytes);
  for (let index = 0; index < MOST_WORDS && frames.length <= MOST_GUESSES; index++) {
    const address = stack.word(stack.sp + BigInt(index) * word);
    if (address === undefined) return;
    // Where names are known, an address without a name is not code.
    if (!stack.isBehindCall(address) || (frames[0]!.symbol !== undefined && name(address - 1n) === undefined)) continue;
    frames.push(frame(address, 'guess', name));
  }
}
