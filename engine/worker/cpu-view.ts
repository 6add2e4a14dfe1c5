/** Registers and code of a vCPU for the page. No side effects: no faults, no accessed bits, no device accesses. */
import type { Machine, VcpuRegisters } from '../machine/index';
import { codeBits, describeSegment, instructionsBefore, instructionsFrom, type Placed, type Read, readVirtual } from '../monitor/index';
import { symbolsOf } from '../symbols/index';
import type { CodeLine, CodeView, CpuView, FrameView, RegisterGroup, RegisterView, TierView } from './cpu-types';
import type { Queries } from './protocol';

const MAX_LINES = 256;
const MASK_32 = 0xffffffffn;
const SEG_CS = 1;

const GENERAL = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const;
const ENCODING = [0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15] as const;
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const padded = (value: bigint | number, digits: number): string => value.toString(16).padStart(digits, '0');

function vcpuOf(machine: Machine, vcpu = 0): number {
  const { smp } = machine.config;
  if (!Number.isInteger(vcpu) || vcpu < 0 || vcpu >= smp) throw new Error(`there is no vCPU ${vcpu}: this machine has 0 to ${smp - 1}`);
  return vcpu;
}

function lineCount(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > MAX_LINES)
    throw new Error(`${name} ${value} is out of range: 0 to ${MAX_LINES} lines`);
  return value;
}

export function parseGva(text: string): bigint {
  if (typeof text !== 'string' || !/^0x[0-9a-f]{1,16}$/i.test(text))
    throw new Error(`'${String(text).slice(0, 32)}' is not an address: 0x and 1 to 16 hex digits`);
  return BigInt(text);
}

/** Linear addresses have 32 bits outside 64-bit mode. */
const linear = (address: bigint, bits: number): bigint => (bits === 64 ? BigInt.asUintN(64, address) : address & MASK_32);

/** The difference between a linear address and rip: 64-bit code has no base. */
export const codeBase = (registers: VcpuRegisters): bigint => (codeBits(registers) === 64 ? 0n : registers.segments[SEG_CS]!.base);

export function translate(machine: Machine, query: Queries['translate']['query']): Queries['translate']['answer'] {
  const gpa = machine.inspect.translate(parseGva(query.gva), vcpuOf(machine, query.vcpu));
  return gpa === undefined ? {} : { gpa };
}

export function codeView(machine: Machine, query: Queries['disassemble']['query']): CodeView {
  const vcpu = vcpuOf(machine, query.vcpu);
  const count = lineCount('count', query.count);
  const before = lineCount('before', query.before ?? 0);
  const registers = machine.inspect.registers(vcpu);
  const bits = codeBits(registers);
  const base = codeBase(registers);
  const rip = linear(base + registers.rip, bits);
  const from = query.from === undefined ? rip : linear(parseGva(query.from), bits);
  const read: Read = (gva, length) => readVirtual(machine, vcpu, gva, length);
  const symbols = symbolsOf(machine);
  const line = (placed: Placed, guess: boolean, index: number): CodeLine => ({
    gva: hex(placed.address),
    bytes: [...placed.bytes].map((byte) => padded(byte, 2)).join(' '),
    mnemonic: placed.mnemonic,
    operands: placed.operands,
    ...startOf(symbols.name(placed.address), index === 0),
    ...(placed.target === undefined
      ? {}
      : { target: hex(linear(base + placed.target, bits)), ...targetOf(symbols.name(linear(base + placed.target, bits))) }),
    guess,
  });
  const after = instructionsFrom(read, from, count, bits, base);
  const guessed = after.length > 0 ? instructionsBefore(read, from, before, bits, base) : [];
  const last = after.at(-1);
  const end = last ? last.address + BigInt(last.length) : from;
  return {
    rip: hex(rip),
    bits,
    lines: [
      ...guessed.map((placed, index) => line(placed, true, index)),
      ...after.map((placed, index) => line(placed, false, guessed.length + index)),
    ],
    ...(after.length < count ? { reason: whyUnreadable(machine, vcpu, end) } : {}),
  };
}

const startOf = (symbol: string | undefined, first: boolean): Pick<CodeLine, 'symbol'> =>
  symbol !== undefined && (first || !symbol.includes('+0x')) ? { symbol } : {};
const targetOf = (targetSymbol: string | undefined): Pick<CodeLine, 'targetSymbol'> => (targetSymbol === undefined ? {} : { targetSymbol });

/** `gva`, or the page after it if an instruction is cut. */
function whyUnreadable(machine: Machine, vcpu: number, gva: bigint): string {
  const next = BigInt.asUintN(64, (gva | 0xfffn) + 1n);
  for (const at of [gva, next]) {
    const gpa = machine.inspect.translate(at, vcpu);
    if (gpa === undefined) return `${hex(at)} is not mapped by the guest's page tables`;
    if (!machine.physical.read(gpa, 1)) return `${hex(at)} is gpa ${hex(BigInt(gpa))}, which no memslot backs`;
  }
  return `${hex(gva)} cannot be read`;
}

export function cpuView(machine: Machine, query: Queries['cpu']['query']): CpuView {
  const vcpu = vcpuOf(machine, query.vcpu);
  const registers = machine.inspect.registers(vcpu);
  const code = codeView(machine, { ...query, ask: 'disassemble' });
  const { cpl, halted, rflags } = registers;
  return {
    ...{
      vcpu,
      instructions: machine.run.instructions,
      cpl,
      halted,
      rflags,
      groups: groups(registers, code.bits === 64),
      code,
      tier: tierView(machine, vcpu),
    },
    ...(machine.run.state !== 'running' && framesOf(machine, vcpu)),
  };
}

function tierView(machine: Machine, vcpu: number): TierView {
  const found = machine.inspect.codeTier(vcpu);
  if (found.tier === 'interpreter') return found;
  const entrySymbol = symbolsOf(machine).name(found.entry);
  return { ...found, entry: hex(found.entry), ...(entrySymbol !== undefined && { entrySymbol }) };
}

function framesOf(machine: Machine, vcpu: number): Pick<CpuView, 'frames' | 'framesEnd'> {
  const { frames, end } = symbolsOf(machine).backtrace(vcpu);
  const view = frames.map(({ address, by, symbol }): FrameView => ({ gva: hex(address), by, ...(symbol !== undefined && { symbol }) }));
  return { frames: view, ...(end !== undefined && { framesEnd: end }) };
}

function groups(r: VcpuRegisters, wide: boolean): RegisterGroup[] {
  const digits = wide ? 16 : 8;
  const word = (name: string, value: bigint): RegisterView => ({ name, value: padded(wide ? value : value & MASK_32, digits) });
  const general = GENERAL.slice(0, wide ? 16 : 8).map((name, index) =>
    word(wide ? name : name.replace('r', 'e'), r.gpr[ENCODING[index]!]!),
  );
  return [
    { group: 'general', registers: [...general, word(wide ? 'rip' : 'eip', r.rip)] },
    { group: 'segments', registers: [...segments(r), table('gdtr', r.gdt), table('idtr', r.idt)] },
    {
      group: 'control',
      registers: [
        { name: 'rflags', value: padded(r.rflags, 8) },
        ...(['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'] as const).map((name) => ({ name, value: padded(r[name], 16) })),
        ...['dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'].map((name, index) => ({ name, value: padded(r.dr[index] ?? 0n, 16) })),
      ],
    },
    { group: 'x87', registers: x87(r) },
    {
      group: 'sse',
      registers: [
        ...r.xmm
          .slice(0, wide ? 16 : 8)
          .map(({ low, high }, index) => ({ name: `xmm${index}`, value: padded(high, 16) + padded(low, 16) })),
        { name: 'mxcsr', value: padded(r.mxcsr, 8) },
      ],
    },
  ];
}

function segments(r: VcpuRegisters): RegisterView[] {
  return r.segments.map((segment, index) => ({
    name: SEGMENTS[index]!,
    value: padded(segment.selector, 4),
    note: [`base ${hex(segment.base)}, limit ${hex(BigInt(segment.limit))}`, describeSegment(r, segment.attributes)]
      .filter(Boolean)
      .join(', '),
  }));
}

const table = (name: string, { base, limit }: { base: bigint; limit: number }): RegisterView => ({
  name,
  value: padded(base, 16),
  note: `limit ${hex(BigInt(limit))}`,
});

/** st0 is the register that TOP points at. */
function x87(r: VcpuRegisters): RegisterView[] {
  const top = (r.fsw >> 11) & 7;
  const stack = Array.from({ length: 8 }, (_, index) => {
    const physical = (top + index) & 7;
    const { significand, exponent } = r.fpr[physical]!;
    const empty = ((r.ftw >> (2 * physical)) & 3) === 3;
    return {
      name: `st${index}`,
      value: `${padded(exponent, 4)}${padded(significand, 16)}`,
      note: empty ? 'empty' : decimal(significand, exponent),
    };
  });
  const words = [
    ['fcw', r.fcw],
    ['fsw', r.fsw],
    ['ftw', r.ftw],
  ] as const;
  return [...stack, ...words.map(([name, value]) => ({ name, value: padded(value, 4) }))];
}

/** An 80-bit number to the precision of a double, which may be infinite although the 80-bit one is finite. */
function decimal(significand: bigint, exponent: number): string {
  const sign = exponent & 0x8000 ? '-' : '';
  const power = exponent & 0x7fff;
  if (power === 0x7fff) return BigInt.asUintN(63, significand) === 0n ? `${sign}infinity` : 'NaN';
  const value = (Number(significand) / 2 ** 63) * 2 ** (power - 16383);
  return Number.isFinite(value) && (value !== 0 || significand === 0n) ? `${sign}${value}` : 'beyond a double';
}
