/**
 * `npm run bench:linux [-- ROUNDS]`: boots a stock Linux to its shell on this project's machine, with the JIT and with the interpreter alone, and on
 * QEMU's TCG with the same kernel, initramfs and command line, one after the other in every round; the median counts. Then measures a snapshot of the
 * booted machine, and boots with little and with much RAM. Results: build/bench-linux.json.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { JitFigures } from '../../engine/jit/index';
import { type BootResult, bootLab, PROMPT, type SnapshotResult } from './linux-boot';
import { findLinux } from './linux-files';
import { median, verdict } from './statistics';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MIB = 0x100000;
const RAM = 256 * MIB;
const OTHER_RAM = [96 * MIB, 3072 * MIB];
const QEMU = 'qemu-system-x86_64';
const BOOT_LIMIT_MS = 300_000;
const TARGET_INSTRUCTIONS = 420e6;
/** Time over QEMU's with the same kernel file, at most. */
const TARGET_RATIO = { jit: 0.9, interp: 1.5 };
const TARGET_LOAD_MS = 2000;
/** vmlinux, which QEMU enters by PVH, and bzImage, which unpacks itself. */
type Kernel = 'vmlinux' | 'bzImage';
const KERNELS: readonly Kernel[] = ['vmlinux', 'bzImage'];
const TIERS = ['jit', 'interp'] as const;
type Tier = (typeof TIERS)[number];

async function qemuVersion(): Promise<string | undefined> {
  try {
    return /version (\S+)/.exec((await promisify(execFile)(QEMU, ['--version'])).stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** ms from the process's start to the prompt. */
function bootQemu(kernel: string, initrd: string, append: string): Promise<number> {
  const machine = ['-accel', 'tcg', '-M', 'pc', '-cpu', 'qemu64', '-m', `${RAM / MIB}M`, '-nodefaults', '-display', 'none', '-no-reboot'];
  const start = performance.now();
  const qemu = spawn(QEMU, [...machine, '-kernel', kernel, '-initrd', initrd, '-append', append, '-serial', 'stdio']);
  return new Promise((resolve, reject) => {
    let text = '';
    const limit = setTimeout(() => qemu.kill(), BOOT_LIMIT_MS);
    qemu.stdout.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (!text.includes(PROMPT)) return;
      resolve(performance.now() - start);
      qemu.kill();
    });
    qemu.stderr.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
    });
    qemu.on('error', reject);
    qemu.on('close', () => {
      clearTimeout(limit);
      reject(new Error(`${QEMU} did not come to the prompt: ${text.slice(-300)}`));
    });
  });
}

interface Row {
  name: string;
  kernel: Kernel;
  /** undefined: QEMU */
  tier: Tier | undefined;
  /** one per round */
  ms: number[];
  medianMs: number;
  /** undefined for QEMU, which does not count them */
  instructions?: number;
  /** Of the last round. */
  jit?: JitFigures;
  /** Time over that of QEMU with the same kernel file. */
  ratio?: number;
}

interface Contender {
  name: string;
  kernel: Kernel;
  tier: Tier | undefined;
  boot: () => Promise<{ ms: number; instructions?: number; jit?: JitFigures }>;
}

async function measure(contenders: Contender[], rounds: number): Promise<Row[]> {
  const rows: Row[] = contenders.map(({ name, kernel, tier }) => ({ name, kernel, tier, ms: [], medianMs: 0 }));
  for (let round = 1; round <= rounds; round++) {
    for (const [index, { name, boot }] of contenders.entries()) {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[Kround ${round} of ${rounds}: ${name}`);
      const { ms, instructions, jit } = await boot();
      const row = rows[index]!;
      row.ms.push(ms);
      if (jit !== undefined) row.jit = jit;
      if (instructions === undefined) continue;
      if (row.instructions !== undefined && Math.abs(row.instructions - instructions) > row.instructions / 10)
        throw new Error(`${name}: ${instructions} instructions, and ${row.instructions} in another round`);
      row.instructions = instructions;
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  for (const row of rows) row.medianMs = median(row.ms);
  return rows;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
const millions = (count: number | undefined): string => (count === undefined ? '' : `${(count / 1e6).toFixed(0)} M`);

function line(cells: string[]): void {
  console.log(
    `${cells[0]!.padEnd(34)}${cells
      .slice(1)
      .map((cell) => cell.padStart(14))
      .join('')}`,
  );
}

function report(rows: Row[], snapshot: SnapshotResult, sizes: { ram: number; result: BootResult }[]): boolean {
  line(['to the shell, 256 MiB', 'median', 'instructions', 'MIPS', 'over QEMU']);
  for (const { name, medianMs, instructions, ratio } of rows) {
    const mips = instructions === undefined ? '' : (instructions / medianMs / 1000).toFixed(0);
    line([name, seconds(medianMs), millions(instructions), mips, ratio === undefined ? '' : `${ratio.toFixed(2)}x`]);
  }
  for (const { ram, result } of sizes)
    line([
      `memslot-lab, vmlinux, ${ram / MIB} MiB`,
      seconds(result.ms),
      millions(result.instructions),
      (result.instructions / result.ms / 1000).toFixed(0),
    ]);
  line([`savevm: ${(snapshot.bytes / MIB).toFixed(1)} MiB`, seconds(snapshot.saveMs)]);
  line(['loadvm, to the answer to a key', seconds(snapshot.loadMs)]);
  for (const { name, jit } of rows)
    if (jit !== undefined)
      console.log(
        `${name}: ${millions(jit.ran)} instructions in ${jit.compiled} regions, which took ${seconds(jit.compileTime)} to write and compile`,
      );
  const { instructions } = rows[0]!;
  const reached = [
    verdict(instructions! <= TARGET_INSTRUCTIONS, `${millions(instructions)} of at most ${millions(TARGET_INSTRUCTIONS)} instructions`),
    verdict(snapshot.loadMs <= TARGET_LOAD_MS, `loadvm in ${seconds(snapshot.loadMs)} of at most ${seconds(TARGET_LOAD_MS)}`),
  ];
  for (const { name, tier, ratio } of rows) {
    if (ratio === undefined || tier === undefined) continue;
    reached.push(verdict(ratio <= TARGET_RATIO[tier], `${name}: ${ratio.toFixed(2)}x of at most ${TARGET_RATIO[tier]}x QEMU's time`));
  }
  return reached.every((each) => each);
}

async function run(rounds: number, scratch: string): Promise<boolean> {
  const files = findLinux();
  const core = join(ROOT, 'build/core.wasm');
  if (!existsSync(core)) throw new Error('build/core.wasm is not built: npm run asm');
  const version = await qemuVersion();
  if (version === undefined) console.log(`${QEMU} is not installed (Debian: apt-get install qemu-system-x86): no comparison`);
  // QEMU takes both unpacked.
  const [vmlinux, initrd] = [join(scratch, 'vmlinux'), join(scratch, 'initrd')];
  writeFileSync(vmlinux, gunzipSync(readFileSync(files.vmlinux)));
  writeFileSync(initrd, gunzipSync(readFileSync(files.initrd)));
  const lab = (kernel: string, ram: number, accel: Tier, snapshot = false) =>
    bootLab({ core, kernel, initrd, append: files.append, ram, accel, snapshot });
  const paths = { vmlinux, bzImage: files.bzImage };
  const contenders: Contender[] = TIERS.flatMap((tier) =>
    KERNELS.map((kernel) => ({ name: `memslot-lab ${tier}, ${kernel}`, kernel, tier, boot: () => lab(paths[kernel], RAM, tier) })),
  );
  if (version !== undefined)
    for (const kernel of KERNELS)
      contenders.push({
        name: `QEMU ${version} TCG, ${kernel}`,
        kernel,
        tier: undefined,
        boot: async () => ({ ms: await bootQemu(paths[kernel], initrd, files.append) }),
      });
  const load = loadavg()[0]!;
  const rows = await measure(contenders, rounds);
  for (const row of rows) {
    const other = rows.find(({ tier, kernel }) => tier === undefined && kernel === row.kernel);
    if (other !== undefined && row.tier !== undefined) row.ratio = row.medianMs / other.medianMs;
  }
  const { snapshot } = await lab(vmlinux, RAM, 'jit', true);
  const sizes: { ram: number; result: BootResult }[] = [];
  for (const ram of OTHER_RAM) sizes.push({ ram, result: await lab(vmlinux, ram, 'jit') });
  const processor = cpus()[0]?.model.trim();
  console.log(`${processor}, Node ${process.versions.node}, median of ${rounds}, load of the machine before: ${load.toFixed(1)}`);
  const reached = report(rows, snapshot!, sizes);
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  const record = { processor, node: process.versions.node, qemu: version, rounds, load, append: files.append, rows, snapshot, sizes };
  writeFileSync(join(ROOT, 'build/bench-linux.json'), `${JSON.stringify(record, null, 2)}\n`);
  return reached;
}

async function main(): Promise<number> {
  const argument = process.argv[2] ?? '3';
  const rounds = Number(argument);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 99) {
    console.error(`bench: ${argument}: rounds are a number from 1 to 99`);
    return 1;
  }
  const scratch = mkdtempSync(join(tmpdir(), 'memslot-lab-bench-'));
  try {
    return (await run(rounds, scratch)) ? 0 : 1;
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

process.exitCode = await main();
