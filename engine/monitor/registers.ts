/** `info registers` in QEMU's layout, and the names for $NAME in an expression. */
import type { VcpuRegisters } from '../machine/index';
import type { Bits } from './disasm';

const EFER_LMA = 0x400n;
const GPR64 = ['RAX', 'RBX', 'RCX', 'RDX', 'RSI', 'RDI', 'RBP', 'RSP', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15'] as const;
/** From print order to the manual's encoding order (rax rcx rdx rbx rsp rbp rsi rdi r8..). */
const ENCODING = [0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15] as const;
const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'LDT', 'TR'] as const;
const CS = 1;

const SYSTEM_TYPES_32 = [
  'Reserved',
  'TSS16-avl',
  'LDT',
  'TSS16-busy',
  'CallGate16',
  'TaskGate',
  'IntGate16',
  'TrapGate16',
  'Reserved',
  'TSS32-avl',
  'Reserved',
  'TSS32-busy',
  'CallGate32',
  'Reserved',
  'IntGate32',
  'TrapGate32',
] as const;
const SYSTEM_TYPES_64 = [
  '<hiword>',
  'Reserved',
  'LDT',
  'Reserved',
  'Reserved',
  'Reserved',
  'Reserved',
  'Reserved',
  'Reserved',
  'TSS64-avl',
  'Reserved',
  'TSS64-busy',
  'CallGate64',
  'Reserved',
  'IntGate64',
  'TrapGate64',
] as const;

const h = (value: bigint | number, digits: number): string => BigInt(value).toString(16).padStart(digits, '0');
const h32 = (value: bigint): string => h(BigInt.asUintN(32, value), 8);

const isLong = (r: VcpuRegisters): boolean => (r.efer & EFER_LMA) !== 0n;
const is64 = (r: VcpuRegisters): boolean => isLong(r) && (r.segments[CS]!.attributes & 0x200) !== 0;
const isProtected = (r: VcpuRegisters): boolean => (r.cr0 & 1n) !== 0n;

/** The kind of code in the code segment. */
export const codeBits = (r: VcpuRegisters): Bits => (is64(r) ? 64 : (r.segments[CS]!.attributes & 0x400) !== 0 ? 32 : 16);

/** One vCPU, without the "CPU#n" line. */
export function dumpRegisters(r: VcpuRegisters): string {
  const lines = [...general(r), ...segments(r), ...system(r), ...floatingPoint(r)];
  return lines.map((line) => `${line}\n`).join('');
}

function flagString(rflags: number): string {
  const bit = (mask: number, letter: string): string => (rflags & mask ? letter : '-');
  return `[${bit(0x400, 'D')}${bit(0x800, 'O')}${bit(0x80, 'S')}${bit(0x40, 'Z')}${bit(0x10, 'A')}${bit(0x4, 'P')}${bit(0x1, 'C')}]`;
}

function general(r: VcpuRegisters): string[] {
  const wide = is64(r);
  const names = wide ? GPR64 : (['EAX', 'EBX', 'ECX', 'EDX', 'ESI', 'EDI', 'EBP', 'ESP'] as const);
  const cells = names.map((name, index) => {
    const value = r.gpr[ENCODING[index]!]!;
    return `${name.padEnd(3)}=${wide ? h(value, 16) : h32(value)}`;
  });
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += 4) lines.push(cells.slice(at, at + 4).join(' '));
  const tail = `${flagString(r.rflags)} CPL=${r.cpl} II=0 A20=1 SMM=0 HLT=${r.halted ? 1 : 0}`;
  lines.push(wide ? `RIP=${h(r.rip, 16)} RFL=${h(r.rflags, 8)} ${tail}` : `EIP=${h32(r.rip)} EFL=${h(r.rflags, 8)} ${tail}`);
  return lines;
}

/** The descriptor's high dword in QEMU's form: access byte in bits 8-15, limit 19..16 and G, D/B, L, AVL in 16-23. */
function descriptorFlags(limit: number, attributes: number): number {
  const granular = (attributes & 0x800) !== 0;
  const limitHigh = ((granular ? Math.floor(limit / 4096) : limit) >>> 16) & 0xf;
  return (((attributes & 0xff) << 8) | ((attributes & 0xf00) << 12) | (attributes === 0 ? 0 : limitHigh << 16)) >>> 0;
}

function segments(r: VcpuRegisters): string[] {
  return SEGMENTS.map((name, index) => {
    const s = r.segments[index]!;
    const base = isLong(r) ? h(s.base, 16) : h32(s.base);
    const line = `${name.padEnd(3)}=${h(s.selector, 4)} ${base} ${h(s.limit, 8)} ${h(descriptorFlags(s.limit, s.attributes), 8)}`;
    const described = describeSegment(r, s.attributes);
    return described ? `${line} ${described}` : line;
  });
}

/** "DPL=0 CS64 [-RA]"; empty in real mode and for a segment that is not present. */
export function describeSegment(r: VcpuRegisters, attributes: number): string {
  if (!isProtected(r) || (attributes & 0x80) === 0) return '';
  const type = attributes & 0xf;
  const dpl = `DPL=${(attributes >> 5) & 3} `;
  if (!(attributes & 0x10)) return dpl + (isLong(r) ? SYSTEM_TYPES_64 : SYSTEM_TYPES_32)[type]!;
  const accessed = type & 1 ? 'A' : '-';
  if (type & 8) {
    const size = attributes & 0x200 ? 'CS64' : attributes & 0x400 ? 'CS32' : 'CS16';
    return `${dpl}${size} [${type & 4 ? 'C' : '-'}${type & 2 ? 'R' : '-'}${accessed}]`;
  }
  const size = attributes & 0x400 || isLong(r) ? 'DS  ' : 'DS16';
  return `${dpl}${size} [${type & 4 ? 'E' : '-'}${type & 2 ? 'W' : '-'}${accessed}]`;
}

function system(r: VcpuRegisters): string[] {
  const long = isLong(r);
  const wide = (value: bigint): string => (long ? h(value, 16) : h32(value));
  const dr = (index: number): string => h(r.dr[index] ?? 0n, 16);
  return [
    `GDT=     ${wide(r.gdt.base)} ${h(r.gdt.limit, 8)}`,
    `IDT=     ${wide(r.idt.base)} ${h(r.idt.limit, 8)}`,
    `CR0=${h32(r.cr0)} CR2=${wide(r.cr2)} CR3=${wide(r.cr3)} CR4=${h32(r.cr4)}`,
    // QEMU ends this line with a blank.
    `DR0=${dr(0)} DR1=${dr(1)} DR2=${dr(2)} DR3=${dr(3)} `,
    `DR6=${dr(4)} DR7=${dr(5)}`,
    `EFER=${h(r.efer, 16)}`,
  ];
}

/** FTW has two bits per register; QEMU shows one bit, 1 = in use. */
function abridgedTags(ftw: number): number {
  let tags = 0;
  for (let index = 0; index < 8; index++) if (((ftw >> (index * 2)) & 3) !== 3) tags |= 1 << index;
  return tags;
}

function floatingPoint(r: VcpuRegisters): string[] {
  const lines = [`FCW=${h(r.fcw, 4)} FSW=${h(r.fsw, 4)} [ST=${(r.fsw >> 11) & 7}] FTW=${h(abridgedTags(r.ftw), 2)} MXCSR=${h(r.mxcsr, 8)}`];
  const fpr = r.fpr.map((value, index) => `FPR${index}=${h(value.significand, 16)} ${h(value.exponent, 4)}`);
  const xmm = r.xmm
    .slice(0, is64(r) ? 16 : 8)
    .map((value, index) => `XMM${String(index).padStart(2, '0')}=${h(value.high, 16)} ${h(value.low, 16)}`);
  for (const cells of [fpr, xmm]) for (let at = 0; at < cells.length; at += 2) lines.push(cells.slice(at, at + 2).join(' '));
  return lines;
}

/** QEMU has eax..edi, r8.., eip, pc, sp, fp, eflags, segments; rax, rip, cr3 and so on are ours. */
export function registerValue(r: VcpuRegisters, name: string): bigint | undefined {
  const lower = name.toLowerCase();
  const gpr = /^(?:[re]?)(ax|cx|dx|bx|sp|bp|si|di)$/.exec(lower) ?? /^r(8|9|1[0-5])$/.exec(lower);
  if (gpr) {
    const index = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'].indexOf(gpr[1]!);
    const value = r.gpr[index >= 0 ? index : Number(gpr[1])];
    return value;
  }
  switch (lower) {
    case 'fp':
      return r.gpr[5];
    case 'pc':
      return BigInt.asUintN(64, r.segments[CS]!.base + r.rip);
    case 'rip':
    case 'eip':
      return r.rip;
    case 'rflags':
    case 'eflags':
      return BigInt(r.rflags);
    case 'cr0':
    case 'cr2':
    case 'cr3':
    case 'cr4':
    case 'cr8':
    case 'efer':
      return r[lower];
    default:
      return segmentValue(r, lower);
  }
}

function segmentValue(r: VcpuRegisters, name: string): bigint | undefined {
  const match = /^([ecsdfg]s)(\.base|\.limit)?$/.exec(name);
  const index = match ? ['es', 'cs', 'ss', 'ds', 'fs', 'gs'].indexOf(match[1]!) : -1;
  if (!match || index < 0) return undefined;
  const segment = r.segments[index]!;
  return match[2] === '.base' ? segment.base : match[2] === '.limit' ? BigInt(segment.limit) : BigInt(segment.selector);
}

export const REGISTER_NAMES = [
  'rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags pc sp fp cr0 cr2 cr3 cr4 cr8 efer'.split(' '),
  'cs ds es ss fs gs'.split(' '),
].flat();
