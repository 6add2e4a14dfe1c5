/**
 * Boots Linux once in a fresh process, so that nothing is compiled or warm: `linux-boot.ts JSON` prints its measurements as JSON. The machine is
 * driven as by `lab`: its clock follows the wall clock while the guest sleeps.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { nodeRunner } from '../../engine/cli/node-runner';
import type { JitFigures } from '../../engine/jit/index';
import type { GuestImage, Machine } from '../../engine/machine/index';
import { createMachine } from '../../engine/machine/index';

export const PROMPT = 'guest# ';
const GIB = 0x40000000;
/** Odd, since the median counts. */
const LOADS = 3;

export interface BootRequest {
  core: string;
  /** Files; names that end in .gz are unpacked. */
  kernel: string;
  initrd: string;
  append: string;
  /** bytes */
  ram: number;
  accel: 'jit' | 'interp';
  /** Also measures savevm and loadvm. */
  snapshot: boolean;
}

export interface BootResult {
  /** From the start of building the machine to the prompt, ms. */
  ms: number;
  /** Guest instructions to the prompt. */
  instructions: number;
  /** The output of `info jit` at the prompt. */
  jit?: JitFigures;
  snapshot?: SnapshotResult;
}

export interface SnapshotResult {
  saveMs: number;
  /** of the file */
  bytes: number;
  /** From the file's bytes to the answer to a key, in a new machine, ms; median. */
  loadMs: number;
}

const LIMIT_MS = 300_000;

/** Node's options in `npm run lab`. */
function labOptions(): string[] {
  const file = fileURLToPath(new URL('../../package.json', import.meta.url));
  const { scripts } = JSON.parse(readFileSync(file, 'utf8')) as { scripts: { lab: string } };
  return scripts.lab.split(' ').slice(1, -1);
}

/** In a process of its own. */
export async function bootLab(request: BootRequest): Promise<BootResult> {
  const script = fileURLToPath(import.meta.url);
  const options = { timeout: LIMIT_MS, maxBuffer: 16 * 2 ** 20 };
  const flags = [...labOptions(), '--import', 'tsx'];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, script, JSON.stringify(request)], options);
  return JSON.parse(stdout) as BootResult;
}

const read = (path: string): Uint8Array => (path.endsWith('.gz') ? gunzipSync(readFileSync(path)) : readFileSync(path));

async function build(request: BootRequest, guest: GuestImage): Promise<Machine> {
  const core = new Uint8Array(readFileSync(request.core));
  const { ram, accel } = request;
  const wallClock = () => performance.now();
  return createMachine({ core, guest, ram, slots: 8, maxmem: Math.max(4 * GIB, ram), smp: 1, accel, wallClock });
}

/** Runs until new output contains the prompt; returns the instruction count. */
function prompt(machine: Machine): { came: Promise<number>; end: () => Promise<void> } {
  let text = '';
  const runner = nodeRunner(
    machine,
    () => performance.now(),
    (error) => {
      throw error;
    },
  );
  const came = new Promise<number>((resolve, reject) => {
    machine.serial.onOutput((bytes) => {
      text += new TextDecoder('latin1').decode(bytes);
      if (text.includes(PROMPT)) resolve(machine.run.instructions);
    });
    machine.subscribe((event) => {
      if (event.type === 'state' && event.state !== 'running')
        reject(new Error(`the machine is ${event.state}; its last words: ${text.slice(-300)}`));
    });
  });
  runner.start();
  return { came, end: () => runner.end() };
}

/** Loaded by the boot that needs them: a process that only boots should not compile their files. */
const snapshots = () => import('../../engine/snapshot/index');

async function snapshot(machine: Machine, request: BootRequest, guest: GuestImage): Promise<SnapshotResult> {
  const { saveMachine } = await snapshots();
  const start = performance.now();
  const { bytes } = await saveMachine(machine, Date.now());
  const saveMs = performance.now() - start;
  const loads: number[] = [];
  for (let n = 0; n < LOADS; n++) loads.push(await load(bytes, request, guest));
  return { saveMs, bytes: bytes.length, loadMs: loads.sort((x, y) => x - y)[LOADS >> 1]! };
}

async function load(bytes: Uint8Array, request: BootRequest, guest: GuestImage): Promise<number> {
  const { loadMachine } = await snapshots();
  const start = performance.now();
  const machine = await build(request, guest);
  const refused = await loadMachine(machine, bytes);
  if (refused !== undefined) throw new Error(`loadvm: ${refused}`);
  const { came, end } = prompt(machine);
  machine.run.cont();
  machine.serial.input(new TextEncoder().encode('\r'));
  await came;
  const ms = performance.now() - start;
  await end();
  return ms;
}

async function main(request: BootRequest): Promise<BootResult> {
  // Loaded by the machine otherwise, when the clock runs.
  if (request.accel === 'jit') await import('../../engine/jit/index');
  const guest = { name: 'linux', kernel: read(request.kernel), initrd: read(request.initrd), append: request.append };
  const start = performance.now();
  const machine = await build(request, guest);
  const { came, end } = prompt(machine);
  const instructions = await came;
  const ms = performance.now() - start;
  await end();
  const jit = machine.inspect.jitFigures();
  return { ms, instructions, ...(jit && { jit }), ...(request.snapshot && { snapshot: await snapshot(machine, request, guest) }) };
}

if (process.argv[2]?.startsWith('{')) {
  main(JSON.parse(process.argv[2]) as BootRequest).then(
    (result) => {
      console.log(JSON.stringify(result));
      process.exit(0);
    },
    (error) => {
      console.error(`boot: ${error instanceof Error ? error.message : String(error)}`);
      process.exit(1);
    },
  );
}
