/** Registers, numbered as in QEMU's x86-64 target, and the target description that gdb reads. */
import type { VcpuRegisters } from '../../machine/index';

interface Register {
  name: string;
  bits: 32 | 64 | 80 | 128;
  type: string;
  feature: string;
  group?: string;
  read(r: VcpuRegisters): bigint;
}

const CORE = 'org.gnu.gdb.i386.core';
const SEGMENTS = 'org.gnu.gdb.i386.segments';
const SSE = 'org.gnu.gdb.i386.sse';
/** Ours: gdb shows a register that it does not know by this name. */
const SYSTEM = 'org.memslot-lab.i386.system';

/** gdb's order, and the index in the manual's encoding order. */
const GPRS: readonly (readonly [string, number])[] = [
  ...([
    ['rax', 0],
    ['rbx', 3],
    ['rcx', 1],
    ['rdx', 2],
    ['rsi', 6],
    ['rdi', 7],
    ['rbp', 5],
    ['rsp', 4],
  ] as const),
  ...Array.from({ length: 8 }, (_unused, i) => [`r${i + 8}`, i + 8] as const),
];
/** Place in `VcpuRegisters.segments`. */
const SEGMENT: readonly (readonly [string, number])[] = [
  ['cs', 1],
  ['ss', 2],
  ['ds', 3],
  ['es', 0],
  ['fs', 4],
  ['gs', 5],
];

const wide = (name: string, type: string, feature: string, read: Register['read']): Register => ({ name, bits: 64, type, feature, read });
const float = (name: string, read: Register['read']): Register => ({ name, bits: 32, type: 'int', feature: CORE, group: 'float', read });
const zero = (): bigint => 0n;
const top = (r: VcpuRegisters): number => (r.fsw >> 11) & 7;

export const REGISTERS: readonly Register[] = [
  ...GPRS.map(([name, at]) => wide(name, name === 'rsp' || name === 'rbp' ? 'data_ptr' : 'int64', CORE, (r) => r.gpr[at]!)),
  wide('rip', 'code_ptr', CORE, (r) => r.rip),
  { name: 'eflags', bits: 32, type: 'i386_eflags', feature: CORE, read: (r) => BigInt(r.rflags >>> 0) },
  ...SEGMENT.map(
    ([name, at]): Register => ({ name, bits: 32, type: 'int32', feature: CORE, read: (r) => BigInt(r.segments[at]!.selector) }),
  ),
  wide('fs_base', 'int', SEGMENTS, (r) => r.segments[4]!.base),
  wide('gs_base', 'int', SEGMENTS, (r) => r.segments[5]!.base),
  wide('k_gs_base', 'int64', SYSTEM, (r) => r.kernelGsBase),
  wide('cr0', 'i386_cr0', SYSTEM, (r) => r.cr0),
  wide('cr2', 'int64', SYSTEM, (r) => r.cr2),
  wide('cr3', 'int64', SYSTEM, (r) => r.cr3),
  wide('cr4', 'i386_cr4', SYSTEM, (r) => r.cr4),
  wide('cr8', 'int64', SYSTEM, (r) => r.cr8),
  wide('efer', 'i386_efer', SYSTEM, (r) => r.efer),
  ...Array.from(
    { length: 8 },
    (_unused, i): Register => ({
      name: `st${i}`,
      bits: 80,
      type: 'i387_ext',
      feature: CORE,
      read: (r) => {
        const { significand, exponent } = r.fpr[(top(r) + i) & 7]!;
        return significand | (BigInt(exponent) << 64n);
      },
    }),
  ),
  float('fctrl', (r) => BigInt(r.fcw)),
  float('fstat', (r) => BigInt(r.fsw)),
  float('ftag', (r) => BigInt(r.ftw)),
  float('fiseg', zero),
  float('fioff', (r) => BigInt.asUintN(32, r.fip)),
  float('foseg', zero),
  float('fooff', (r) => BigInt.asUintN(32, r.fdp)),
  float('fop', (r) => BigInt(r.fop)),
  ...Array.from(
    { length: 16 },
    (_unused, i): Register => ({
      name: `xmm${i}`,
      bits: 128,
      type: 'vec128',
      feature: SSE,
      read: (r) => r.xmm[i]!.low | (r.xmm[i]!.high << 64n),
    }),
  ),
  { name: 'mxcsr', bits: 32, type: 'i386_mxcsr', feature: SSE, group: 'vector', read: (r) => BigInt(r.mxcsr) },
];

export const bytesOfRegister = ({ bits }: Register): number => bits / 8;

/** Little-endian, as the packets have it. */
export function registerBytes(register: Register, registers: VcpuRegisters): Uint8Array {
  let value = register.read(registers);
  return Uint8Array.from({ length: bytesOfRegister(register) }, () => {
    const byte = Number(value & 255n);
    value >>= 8n;
    return byte;
  });
}

export function registerValueOf(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at]!);
  return value;
}

// The description

type Bits = readonly (readonly [name: string, bit: number])[];
const flags = (id: string, size: number, bits: Bits): string =>
  `<flags id="${id}" size="${size}">${bits.map(([name, bit]) => `<field name="${name}" start="${bit}" end="${bit}"/>`).join('')}</flags>`;

const TYPES: Readonly<Record<string, string>> = {
  [CORE]: flags('i386_eflags', 4, [
    ['CF', 0],
    ['', 1],
    ['PF', 2],
    ['AF', 4],
    ['ZF', 6],
    ['SF', 7],
    ['TF', 8],
    ['IF', 9],
    ['DF', 10],
    ['OF', 11],
    ['NT', 14],
    ['RF', 16],
    ['VM', 17],
    ['AC', 18],
    ['VIF', 19],
    ['VIP', 20],
    ['ID', 21],
  ]),
  [SSE]:
    '<vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/><vector id="v16i8" type="int8" count="16"/>' +
    '<vector id="v8i16" type="int16" count="8"/><vector id="v4i32" type="int32" count="4"/><vector id="v2i64" type="int64" count="2"/>' +
    '<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/><field name="v16_int8" type="v16i8"/>' +
    '<field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/><field name="uint128" type="uint128"/></union>' +
    flags('i386_mxcsr', 4, [
      ['IE', 0],
      ['DE', 1],
      ['ZE', 2],
      ['OE', 3],
      ['UE', 4],
      ['PE', 5],
      ['DAZ', 6],
      ['IM', 7],
      ['DM', 8],
      ['ZM', 9],
      ['OM', 10],
      ['UM', 11],
      ['PM', 12],
      ['FZ', 15],
    ]),
  [SYSTEM]:
    flags('i386_cr0', 8, [
      ['PE', 0],
      ['MP', 1],
      ['EM', 2],
      ['TS', 3],
      ['ET', 4],
      ['NE', 5],
      ['WP', 16],
      ['AM', 18],
      ['NW', 29],
      ['CD', 30],
      ['PG', 31],
    ]) +
    flags('i386_cr4', 8, [
      ['VME', 0],
      ['PVI', 1],
      ['TSD', 2],
      ['DE', 3],
      ['PSE', 4],
      ['PAE', 5],
      ['MCE', 6],
      ['PGE', 7],
      ['PCE', 8],
      ['OSFXSR', 9],
      ['OSXMMEXCPT', 10],
    ]) +
    flags('i386_efer', 8, [
      ['SCE', 0],
      ['LME', 8],
      ['LMA', 10],
      ['NXE', 11],
    ]),
};

/** qXfer:features:read:target.xml */
export const TARGET_XML = [
  '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0"><architecture>i386:x86-64</architecture>',
  ...[CORE, SEGMENTS, SYSTEM, SSE].map((feature) => {
    const list = REGISTERS.map((register, number) => ({ register, number })).filter(({ register }) => register.feature === feature);
    const lines = list.map(
      ({ register: { name, bits, type, group }, number }) =>
        `<reg name="${name}" bitsize="${bits}" type="${type}" regnum="${number}"${group ? ` group="${group}"` : ''}/>`,
    );
    return `<feature name="${feature}">${TYPES[feature] ?? ''}${lines.join('')}</feature>`;
  }),
  '</target>',
].join('\n');
