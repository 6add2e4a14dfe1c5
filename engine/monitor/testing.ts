/** A machine and a monitor for tests. Needs build/core.wasm (npm run asm); LAB_CORE names a different one. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Machine, MachineOptions } from '../machine/index';
import { createMachine } from '../machine/index';
import { memoryLayouts } from './memory-layouts';
import { Monitor } from './monitor';
import type { LayoutFormat, MonitorEnv } from './types';

const MIB = 0x100000;
const core = (): WebAssembly.Module => {
  const file = process.env.LAB_CORE ?? resolve(import.meta.dirname, '../../build/core.wasm');
  return new WebAssembly.Module(readFileSync(file));
};
let compiled: WebAssembly.Module | undefined;

/** -m 256M,slots=8,maxmem=2G, no guest, stopped. */
export async function testMachine(options: Partial<MachineOptions> = {}): Promise<Machine> {
  compiled ??= core();
  const machine = await createMachine({
    ram: 256 * MIB,
    slots: 8,
    maxmem: 2048 * MIB,
    smp: 1,
    accel: 'interp',
    core: compiled,
    wallClock: () => 0,
    ...options,
  });
  machine.run.stop();
  return machine;
}

export interface TestEnv extends MonitorEnv {
  saved: Map<string, string>;
  files: Map<string, Uint8Array>;
  printed: string[];
  quits: number;
}

export function testEnv(format: LayoutFormat = noFormat): TestEnv {
  const saved = new Map<string, string>();
  const env: TestEnv = {
    saved,
    files: new Map(),
    printed: [],
    quits: 0,
    layouts: memoryLayouts(saved),
    format,
    linkBase: 'https://lab.example/app/',
    wallClock: () => 0,
    quit: () => {
      env.quits++;
    },
    writeFile: async (name, bytes) => void env.files.set(name, bytes),
    print: (text) => void env.printed.push(text),
  };
  return env;
}

/** For tests that are not about layouts: the monitor may not import engine/snapshot. */
const noFormat: LayoutFormat = {
  capture: () => '{}',
  load: async (_machine, text) => (text === '{}' ? undefined : 'it is not JSON'),
  regions: () => undefined,
  parts: () => undefined,
  link: async (text, base) => `${base}#l=1.${text.length}`,
};

export async function testMonitor(options: Partial<MachineOptions> = {}): Promise<{ machine: Machine; monitor: Monitor; env: TestEnv }> {
  const machine = await testMachine(options);
  const env = testEnv();
  return { machine, monitor: new Monitor(machine, env), env };
}

/**
 * Runs a transcript: lines "(lab) COMMAND", each followed by the expected output. Returns the actual output in the same form, so that a test compares
 * two texts.
 */
export async function replay(monitor: Monitor, transcript: string): Promise<string> {
  let text = '';
  for (const line of transcript.split('\n')) {
    if (line.startsWith('(lab) ')) text += `${line}\n${await monitor.execute(line.slice('(lab) '.length))}`;
  }
  return text;
}
