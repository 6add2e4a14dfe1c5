/**
 * Writes docs/x86-coverage.md from the table of operations, and by trying every opcode on the built core: `npx tsx scripts/core/coverage.ts
 * [--check]`. An opcode counts as missing when any of its forms (register and memory operand, every ModRM.reg) is logged as not implemented.
 * `--check` compares with the file instead of writing it and exits with status 1 if they differ.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Attempt, isNoOpcode, MAPS, MODRM, OpcodeProbe, type Width } from './opcodes';
import { operationsPage } from './operations-page';

const probe = new OpcodeProbe();

/** One cell: all ModRM.reg values with a register and a memory operand. */
function cell(width: Width, opcode: readonly number[]): string {
  const seen = new Set<Attempt>();
  const missing = new Set<number>();
  for (const modrm of MODRM) {
    const outcome = probe.attempt(width, [...opcode, modrm]);
    seen.add(outcome);
    if (outcome === 'missing') missing.add((modrm >> 3) & 7);
  }
  if (missing.size === 8 && !seen.has('done')) return 'n';
  if (missing.size > 0) return 'p';
  return seen.has('done') ? '+' : '.';
}

function grid(width: Width, lead: readonly number[]): string {
  const digits = '0123456789abcdef';
  const rows = [`      ${[...digits].join(' ')}`];
  for (let high = 0; high < 16; high++) {
    const cells = [...digits].map((_, low) => {
      const opcode = high * 16 + low;
      if (isNoOpcode(width, lead, opcode)) return ' ';
      return cell(width, [...lead, opcode]);
    });
    rows.push(`  ${digits[high]}x  ${cells.join(' ')}`);
  }
  return ['```', ...rows, '```'].join('\n');
}

function document(): string {
  const parts = [
    '# What the core decodes',
    '',
    'Written by `npx tsx scripts/core/coverage.ts`, which tries every opcode on the built core. No opcode is ignored silently: a missing one',
    'raises #UD and logs its bytes, and CPUID does not advertise it.',
    '',
    '`+` implemented, `.` #UD as the manual says (or an extension that the decoder knows and CPUID does not advertise), `n` not implemented,',
    '`p` some ModRM.reg or operand forms not implemented, blank: prefix or escape.',
    '',
    'The differential tester (test/differential/forms*.ts) compares every implemented encoding with a real processor, or lists the reason why it',
    'cannot (test/differential/exceptions.ts); test/differential/coverage.test.ts enforces this. Where vendors differ or the manual leaves results',
    'undefined, the comparison is looser (test/differential/makers.ts): RCP and RSQRT to within the relative error of 1.5 * 2^-12 that the manual',
    'allows, and the x87 transcendentals to within one unit in the last place, without C1. Where AMD and Intel differ, the core follows Intel',
    '(amd.ts).',
    '',
  ];
  for (const width of [64, 32] as const) {
    parts.push(`## ${width}-bit code`, '');
    for (const [name, lead] of MAPS) {
      if (width === 32 && lead.length > 1) continue;
      parts.push(`### ${name}`, '', grid(width, lead), '');
    }
  }
  parts.push(operationsPage());
  return parts.join('\n');
}

const file = join(import.meta.dirname, '../../docs/x86-coverage.md');
const text = document();
if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    console.error('docs/x86-coverage.md is out of date: run npx tsx scripts/core/coverage.ts');
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, text);
}
