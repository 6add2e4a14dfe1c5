/**
 * Writes docs/x86-coverage.md by trying every opcode on the built core: `npx tsx scripts/core/coverage.ts [--check]`.
 * An opcode counts as missing when any of its forms (register and memory operand, every ModRM.reg) is logged as not implemented.
 * `--check` compares with the file instead of writing it and ends with status 1 when they differ.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOG_UNIMPLEMENTED } from '../../engine/abi/exits';
import { VCPU_CR0, VCPU_CR4, VCPU_EFER, VCPU_FAULT_VECTOR, VCPU_HALTED } from '../../engine/abi/vcpu';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const DATA = 0x20000;
const UD = 6;

type Width = 32 | 64;
type Outcome = 'done' | 'undefined' | 'missing';

const core = new TestCore(0x400000);

function attempt(width: Width, bytes: readonly number[]): Outcome {
  core.core.resetVcpu(0);
  if (width === 64) core.longMode(CODE);
  else core.flat32(CODE);
  core.set64(VCPU_CR0, core.get64(VCPU_CR0) | 0x22n);
  core.set64(VCPU_CR4, core.get64(VCPU_CR4) | 0x600n);
  core.set64(VCPU_EFER, core.get64(VCPU_EFER) | 1n);
  core.core.stateChanged(0);
  for (const name of ['rax', 'rcx', 'rdx', 'rbx', 'rbp', 'rsi', 'rdi'] as const) core.setReg(name, DATA);
  core.setReg('rsp', 0x80000);
  core.set32(VCPU_FAULT_VECTOR, 0xffff);
  core.set32(VCPU_HALTED, 0);
  core.logs.length = 0;
  core.poke(CODE, [...bytes, ...new Array<number>(16 - bytes.length).fill(0)]);
  core.run(1);
  if (core.logs.some(([code]) => code === LOG_UNIMPLEMENTED)) return 'missing';
  const first = core.logs.length > 0 ? core.logs[0]![1] : -1; // without an IDT a fault ends as a triple fault whose log names it
  return first === UD ? 'undefined' : 'done';
}

/** One cell: all ModRM.reg values with a register and a memory operand. */
function cell(width: Width, opcode: readonly number[]): string {
  const seen = new Set<Outcome>();
  const missing: number[] = [];
  for (let reg = 0; reg < 8; reg++) {
    for (const modrm of [0xc0 | (reg << 3), reg << 3]) {
      const outcome = attempt(width, [...opcode, modrm]);
      seen.add(outcome);
      if (outcome === 'missing' && !missing.includes(reg)) missing.push(reg);
    }
  }
  if (missing.length === 8 && !seen.has('done')) return 'n';
  if (missing.length > 0) return 'p';
  return seen.has('done') ? '+' : '.';
}

const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

function grid(width: Width, lead: readonly number[]): string {
  const digits = '0123456789abcdef';
  const rows = [`      ${[...digits].join(' ')}`];
  for (let high = 0; high < 16; high++) {
    const cells = [...digits].map((_, low) => {
      const opcode = high * 16 + low;
      if (lead.length === 0 && (PREFIXES.has(opcode) || opcode === 0x0f || (width === 64 && high === 4))) return ' ';
      if (lead.at(-1) === 0x0f && (opcode === 0x38 || opcode === 0x3a)) return ' ';
      return cell(width, [...lead, opcode]);
    });
    rows.push(`  ${digits[high]}x  ${cells.join(' ')}`);
  }
  return ['```', ...rows, '```'].join('\n');
}

const MAPS: readonly (readonly [string, readonly number[]])[] = [
  ['One-byte opcodes', []],
  ['0F', [0x0f]],
  ['66 0F', [0x66, 0x0f]],
  ['F2 0F', [0xf2, 0x0f]],
  ['F3 0F', [0xf3, 0x0f]],
  ['0F 38', [0x0f, 0x38]],
  ['66 0F 38', [0x66, 0x0f, 0x38]],
  ['66 0F 3A', [0x66, 0x0f, 0x3a]],
];

function document(): string {
  const parts = [
    '# What the core decodes',
    '',
    'Written by `npx tsx scripts/core/coverage.ts`, which tries every opcode on the built core. Nothing is skipped in silence: what is',
    'missing raises #UD and a log line with its bytes, and CPUID does not advertise it.',
    '',
    '`+` implemented, `.` #UD by the manual (or an extension that CPUID does not advertise and the decoder knows), `n` not implemented,',
    '`p` some ModRM.reg or operand forms not implemented, blank: prefix or escape.',
    '',
  ];
  for (const width of [64, 32] as const) {
    parts.push(`## ${width}-bit code`, '');
    for (const [name, lead] of MAPS) {
      if (width === 32 && lead.length > 1) continue;
      parts.push(`### ${name}`, '', grid(width, lead), '');
    }
  }
  return parts.join('\n');
}

const file = join(import.meta.dirname, '../../docs/x86-coverage.md');
const text = document();
if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    console.error('docs/x86-coverage.md is not what the core does: run npx tsx scripts/core/coverage.ts');
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, text);
}
