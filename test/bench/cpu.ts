/**
 * `npm run bench [-- ROUNDS] [--core COMMIT|FILE] [--alone] [--processor-time] [--only TEXT] [--accel interp|jit] [--trace] [--least] [--chromium]`:
 * typical guest work, from one C source, on v86's JIT (compiled for 32 bits, the only width it runs), on QEMU's TCG and on this project's core (64
 * bits). Each runs in its own process, one after the other in every round, and the median counts. `--core` adds another build of the core, to measure
 * a change: a commit, which is built in build/cores, or a core.wasm (one in another checkout runs with that checkout's engine). `--alone` leaves out
 * v86 and QEMU; with it, `--processor-time` counts only processor time, for a busy machine. `--only` selects the workloads whose name contains the
 * text, or one of several separated by commas; `--accel` leaves out the other tier; `--trace` adds a run with every trace event enabled; `--least`
 * takes the shortest round instead of the median; `--chromium` runs v86 and this project in a real Chromium instead of Node. Targets: geometric mean
 * and the least of the single ratios. Results: build/bench-cpu.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { startChromium } from './chromium';
import type { Contender, Measured } from './contender';
import { coreOf } from './core-of';
import { compareBuilds, leastVerdict, meanOver, printTable, rowsOf } from './cpu-report';
import { BUILD, buildOf, CORE, v86Version } from './files';
import { buildImage, imagePath } from './images';
import { startProcess } from './process';
import { qemuVersion, startQemu } from './qemu';
import { verdict } from './statistics';
import { workloads } from './workload-names';

const TARGET_V86 = 2;
const TARGET_V86_CHROMIUM = 2.3;
const TARGET_TCG = 1.3;
/** Of ours; the last one is judged. */
const TIERS: ('interp' | 'jit')[] = ['interp', 'jit'];

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/** results[contender][workload][round], for the workloads named. */
async function measure(contenders: Contender[], names: readonly string[], rounds: number): Promise<Measured[][][]> {
  const results: Measured[][][] = contenders.map(() => names.map(() => []));
  // Round 0 warms the wasm engine's tiers up and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const [w, name] of names.entries()) {
      const letter = String.fromCharCode(97 + (workloads as readonly string[]).indexOf(name));
      const sums = new Set<string>();
      // Reverse the order every other round, so that cache contents left behind do not always favour the same contender.
      const order = [...contenders.entries()];
      for (const [c, contender] of round % 2 ? order : order.reverse()) {
        progress(`round ${round} of ${rounds}: ${name} on ${contender.name}`);
        const measured = await contender.run(letter);
        if (round > 0) results[c]![w]!.push(measured);
        sums.add(measured.checksum);
      }
      if (sums.size > 1) throw new Error(`${name}: the emulators do not agree: ${[...sums].join(', ')}`);
    }
  }
  progress('');
  return results;
}

interface Request {
  rounds: number;
  names: readonly string[];
  tiers: ('interp' | 'jit')[];
  /** another build of the core */
  core?: string;
  /** without v86 and QEMU */
  alone: boolean;
  processorTime: boolean;
  /** ours a second time, traced */
  trace: boolean;
  least: boolean;
  chromium: boolean;
}

/** @throws Error with one line that names the wrong value */
function parse(): Request {
  const options = {
    core: { type: 'string' },
    alone: { type: 'boolean' },
    'processor-time': { type: 'boolean' },
    only: { type: 'string' },
    accel: { type: 'string' },
    trace: { type: 'boolean' },
    least: { type: 'boolean' },
    chromium: { type: 'boolean' },
  } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const argument = positionals[0] ?? '5';
  const rounds = Number(argument);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 99) throw new Error(`${argument}: rounds are a number from 1 to 99`);
  const { core, alone = false, only, accel, trace = false, least = false, chromium = false } = values;
  const processorTime = values['processor-time'] ?? false;
  if (processorTime && !alone) throw new Error('--processor-time needs --alone: QEMU does not report it');
  if (chromium && alone) throw new Error('--alone and --chromium do not go together');
  if (chromium && trace) throw new Error('--trace and --chromium do not go together');
  if (chromium && core !== undefined) throw new Error('--core and --chromium do not go together');
  const texts = only?.split(',') ?? [''];
  const names = workloads.filter((name) => texts.some((text) => name.includes(text)));
  if (names.length === 0) throw new Error(`--only ${only}: no workload's name contains that; they are ${workloads.join('; ')}`);
  if (accel !== undefined && accel !== 'interp' && accel !== 'jit') throw new Error(`--accel ${accel}: it is interp or jit`);
  return {
    rounds,
    names,
    tiers: accel === undefined ? TIERS : [accel],
    alone,
    processorTime,
    trace,
    least,
    chromium,
    ...(core !== undefined && { core: coreOf(core) }),
  };
}

/** v86 first, TCG second where it is installed, then ours, then the other build's. `host`: what runs them. */
async function start(
  { tiers, core, alone, processorTime, trace, chromium }: Request,
  qemu: boolean,
): Promise<{ contenders: Contender[]; host: string }> {
  const images = { 32: buildImage(32), 64: buildImage(64) };
  const tcg = qemu ? [await startQemu(images[64], 64)] : [];
  if (chromium) {
    const { contenders, version } = await startChromium(images, tiers);
    return { contenders: [contenders[0]!, ...tcg, ...contenders.slice(1)], host: `Chromium ${version}` };
  }
  const ours: Contender[] = [];
  const lab = { kind: 'lab', image: imagePath(64), bits: 64, processorTime } as const;
  for (const accel of tiers) ours.push(await startProcess({ ...lab, core: CORE, engine: buildOf(CORE).engine, accel }));
  if (core !== undefined) {
    const { name: build, ...other } = buildOf(core);
    for (const accel of tiers) ours.push(await startProcess({ ...lab, ...other, accel, build }));
  }
  if (trace)
    for (const accel of tiers) ours.push(await startProcess({ ...lab, core: CORE, engine: buildOf(CORE).engine, accel, traced: true }));
  if (alone) return { contenders: ours, host: `Node ${process.versions.node}` };
  const v86 = await startProcess({ kind: 'v86', image: imagePath(32) });
  return { contenders: [v86, ...tcg, ...ours], host: `Node ${process.versions.node}` };
}

async function main(request: Request): Promise<number> {
  const { rounds, names, tiers, core, alone, processorTime, least, chromium } = request;
  const load = loadavg()[0]!;
  const qemu = alone ? undefined : qemuVersion();
  if (qemu === undefined && !alone)
    console.log('qemu-system-x86_64 is not installed (Debian: apt-get install qemu-system-x86): no comparison with TCG');
  const { contenders, host } = await start(request, qemu !== undefined);
  const first = alone ? 0 : qemu === undefined ? 1 : 2;
  const rows = rowsOf(names, await measure(contenders, names, rounds), least);
  const titles = contenders.map((contender) => contender.name);
  const processor = cpus()[0]?.model.trim();
  console.log(
    `${processor}, ${host}, v86 ${v86Version}, QEMU ${qemu ?? 'none'}, ${least ? 'least' : 'median'} of ${rounds}, load before: ${load.toFixed(1)}${processorTime ? ', processor time' : ''}; ratios: speed over ${alone ? titles[0] : 'v86'}`,
  );
  printTable(titles, rows);
  mkdirSync(BUILD, { recursive: true });
  const record = { processor, host, v86: v86Version, qemu, rounds, load, contenders: titles, rows };
  writeFileSync(`${BUILD}/bench-cpu${chromium ? '-chromium' : ''}.json`, `${JSON.stringify(record, null, 2)}\n`);
  for (const contender of contenders) await contender.close();
  const kept =
    core === undefined ||
    tiers.map((_tier, t) => compareBuilds(rows, first + t, first + tiers.length + t, titles[first + tiers.length + t]!));
  const same = kept === true || kept.every((each) => each);
  // The verdict on peers is on the best tier, over all workloads only.
  if (alone || names.length < workloads.length) return same ? 0 : 1;
  const ours = first + tiers.length - 1;
  const target = chromium ? TARGET_V86_CHROMIUM : TARGET_V86;
  const reached = [verdict(meanOver(rows, ours, 0) >= target, `${meanOver(rows, ours, 0).toFixed(2)}x of at least ${target}x v86's speed`)];
  if (qemu !== undefined)
    reached.push(
      verdict(meanOver(rows, ours, 1) >= TARGET_TCG, `${meanOver(rows, ours, 1).toFixed(2)}x of at least ${TARGET_TCG}x TCG's speed`),
    );
  reached.push(leastVerdict(rows, ours));
  return same && reached.every((each) => each) ? 0 : 1;
}

try {
  process.exit(await main(parse()));
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
