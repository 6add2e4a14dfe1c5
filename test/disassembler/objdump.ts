/** binutils' objdump as a peer of the disassembler: runs it on some bytes, and brings both outputs into one spelling. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Instruction } from '../../engine/monitor/disasm/disassemble';

export type Bits = 16 | 32 | 64;

export interface Line {
  address: number;
  length: number;
  text: string;
}

const MACHINES = { 16: 'i8086', 32: 'i386', 64: 'i386:x86-64' };

export const hasTool = (name: string): boolean => spawnSync(name, ['--version']).status === 0;

/** Linear sweep from the first byte. */
export function objdump(bytes: Uint8Array, bits: Bits): Line[] {
  const folder = mkdtempSync(join(tmpdir(), 'lab-objdump-'));
  try {
    const file = join(folder, 'code');
    writeFileSync(file, bytes);
    const flags = ['-D', '-w', '-b', 'binary', '-m', MACHINES[bits], '-M', 'suffix', file];
    const run = spawnSync('objdump', flags, { encoding: 'utf8', maxBuffer: 2 ** 30 });
    if (run.status !== 0) throw new Error(`objdump: ${run.stderr}`);
    return [...run.stdout.matchAll(/^\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*\t?(.*)$/gm)].map(([, address, hex, text]) => ({
      address: Number.parseInt(address!, 16),
      length: hex!.trim().split(' ').length,
      text: text!,
    }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const MASKS: Record<string, bigint> = { b: 0xffn, w: 0xffffn, l: 0xffffffffn };

/** Immediates as unsigned numbers of the operand's size, taken from the mnemonic's last letter. */
function immediates(mnemonic: string, operands: string): string {
  const mask = MASKS[mnemonic.at(-1)!] ?? 0xffffffffffffffffn;
  return operands.replace(/\$(-?)(0x[0-9a-f]+|\d+)/g, (_all, sign: string, digits: string) => {
    const value = BigInt(digits) & 0xffffffffffffffffn;
    return `$${((sign ? -value : value) & mask).toString(16)}`;
  });
}

/** x87 operands that one side leaves out, and two names for one register. */
function x87(mnemonic: string, operands: string): string {
  const named = operands.replaceAll('%st(0)', '%st');
  if (!mnemonic.startsWith('f') || mnemonic.startsWith('fcmov')) return named;
  if (/^f(?:add|mul|sub|subr|div|divr)p$/.test(mnemonic)) return named.replace(/^%st,/, '');
  return named.replace(/,%st$/, '');
}

const bare = (operands: string): string => operands.replace(/\b0x([0-9a-f]+)/g, '$1');

/** Ours: QEMU's spelling without its blanks. */
export function ourSpelling({ mnemonic, operands, target }: Instruction): string {
  const name = unsized(mnemonic.replace(/^bnd /, ''));
  if (target !== undefined) return `${name} ${target.toString(16)}`;
  const text = immediates(name, x87(name, operands.replaceAll(', ', ',')));
  return `${name} ${bare(text)}`.trim();
}

/** Mnemonics to which only one side adds a size suffix; removed from both. */
const UNSIZED =
  /^(leave|enter|loop|loope|loopne|bswap|rdrand|rdseed|[sl][gi]dt|ltr|lldt|(?:rd|wr)[fg]sbase|sysexit|bound|ud[01]|smsw|lmsw|jmp)[wlq]$/;
const NAMES: Record<string, string> = { fwait: 'wait', xlat: 'xlatb' };
const unsized = (name: string): string => NAMES[name] ?? UNSIZED.exec(name)?.[1] ?? name;

/** objdump's text in our spelling. */
export function theirSpelling(text: string, bits: Bits): string {
  let line = text
    .replace(/\s+#.*$/, '')
    .replace(/\s*<[^>]*>/, '')
    .replace(/^(?:(?:data16|addr32|addr16|bnd|notrack|rex\S*) )+/, '')
    .trim();
  // objdump prints a segment override without a memory operand as a separate word, and nopw %cs:(mem) as "cs nopw (mem)".
  const segment = /^([c-gs]s) (.*)$/.exec(line);
  if (segment) line = segment[2]!.replace(/ (\S*)\(/, (_all, offset: string) => ` %${segment[1]}:${offset}(`);
  const match = /^((?:lock |repz |repnz |rep |xacquire |xrelease )*)(\S+)\s*(.*)$/.exec(line);
  if (!match) return line;
  const [, prefix = '', mnemonic = '', rest = ''] = match;
  const string = /^(?:movs|cmps|stos|lods|scas|ins|outs)[bwlq]$/.test(mnemonic) && /\(%[re]?[sd]i\)/.test(rest);
  const spelled = spellName(prefix.replace(/x\w+ /, ''), mnemonic, string);
  let operands = rest.trim();
  if (string) operands = operands.replaceAll('%ds:', '').replace(bits === 64 ? /%es:(?=\(%[re]di)/ : /(?!)/, '');
  if (/^(?:in|out)/.test(mnemonic)) operands = operands.replace('(%dx)', '%dx');
  if (/^(?:xlat|monitor|mwait)$/.test(mnemonic)) operands = '';
  if (/^(?:rol|ror|rcl|rcr|shl|shr|sar)[bwlq]$/.test(mnemonic) && !operands.includes(',')) operands = `$0x1,${operands}`;
  if (/^(?:pblendvb|blendvp[sd]|sha256rnds2)$/.test(mnemonic)) operands = operands.replace(/^%xmm0,/, '');
  operands = operands
    .replace(/(^|[,:*])0x0\(/g, '$1(')
    .replace(/,1\)/g, ')')
    .replace(',%eiz)', ')');
  operands = immediates(spelled, x87(spelled, operands));
  // QEMU keeps to MOVD for 64 bits too where the other end is a register.
  if (/^movq %r.*mm\d|^movq %x?mm\d+,%r/.test(`${spelled} ${operands}`)) return `movd ${operands}`;
  if (/^xchg[wl] %(e?ax),%\1$/.test(`${spelled} ${operands}`)) return 'nop';
  return `${spelled} ${bare(operands)}`.trim();
}

function spellName(prefix: string, mnemonic: string, string: boolean): string {
  const compares = /^(?:cmps|scas)/.test(mnemonic);
  const repeat = string ? prefix.replace('repz ', compares ? 'repe ' : 'rep ').replace('repnz ', 'repne ') : prefix.replace(/rep\w* /, '');
  return repeat + unsized(mnemonic);
}
