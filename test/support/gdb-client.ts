/** Debian's gdb, unmodified, on a machine of this process. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openChardev } from '../../engine/cli/connection';
import { GdbServer } from '../../engine/cli/gdb-server';
import { nodeRunner, turn } from '../../engine/cli/node-runner';
import type { Machine } from '../../engine/machine/index';
import { CommitLog, Monitor } from '../../engine/monitor/index';
import { testEnv } from '../../engine/monitor/testing';
import { Recorder } from '../../engine/replay/recorder';
import { historyOf } from '../../engine/shell/history';

const works = (command: string): boolean => {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Without gdb or gcc (npm run setup installs both), the tests that need them print a note and pass. */
export const gdbReady = works('gdb') && works('gcc');
if (!gdbReady) console.log('gdb or gcc is missing: the gdb stub was not tested with them (npm run setup)');

export const gdbFolder = mkdtempSync(join(tmpdir(), 'lab-gdb-'));
let scripts = 0;

/** Returns what gdb prints. `symbols`: an ELF file, or undefined. `started`: called once gdb runs. */
export function runGdb(
  target: string,
  symbols: string | undefined,
  commands: string,
  started?: (gdb: ChildProcess) => void,
): Promise<string> {
  const script = join(gdbFolder, `script${scripts++}.gdb`);
  writeFileSync(script, `set pagination off\nset confirm off\nset width 0\ntarget remote ${target}\n${commands}`);
  return new Promise((resolve, reject) => {
    let text = '';
    const gdb = spawn('gdb', ['-nx', '-batch', '-x', script, ...(symbols === undefined ? [] : [symbols])], {
      env: { ...process.env, LC_ALL: 'C' },
    });
    for (const stream of [gdb.stdout, gdb.stderr]) stream.on('data', (chunk) => (text += chunk));
    // If gdb hangs, show its output.
    const late = setTimeout(() => gdb.kill('SIGKILL'), 60_000);
    gdb.on('error', reject);
    gdb.on('close', () => {
      clearTimeout(late);
      resolve(text);
    });
    started?.(gdb);
  });
}

export interface Debugging {
  /** Typed at the guest's console, all before it starts, so that the wall clock has no influence. */
  typed?: string;
  started?(gdb: ChildProcess): void;
  /** gdb sent `kill`. */
  quit?(): void;
}

/** Runs gdb's commands against the machine, served as by `lab -gdb`; returns what gdb prints. */
export async function debug(
  machine: Machine,
  symbols: string,
  commands: string,
  { typed = '', started, quit }: Debugging = {},
): Promise<string> {
  const path = join(gdbFolder, `gdb${scripts}.sock`);
  const wallClock = (): number => performance.now();
  const runner = nodeRunner(machine, wallClock);
  const monitor = new Monitor(machine, testEnv());
  const recorder = new Recorder(machine, runner, () => {});
  const commits = new CommitLog(machine, () => 0);
  const backwards = historyOf({ machine, recorder, commits, wallClock });
  if (typed !== '') recorder.take({ kind: 'console', text: typed }, () => machine.serial.input(new TextEncoder().encode(typed)));
  const stdio = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr };
  const server = new GdbServer(
    {
      machine,
      hold: () => runner.hold(),
      stop: () => recorder.take({ kind: 'run', action: 'stop' }, () => machine.run.stop()),
      cont: () => recorder.take({ kind: 'run', action: 'cont' }, () => machine.run.cont()),
      changed: () => backwards.begin(),
      backwards,
      monitor: (line) => monitor.execute(line),
      turn,
      wallClock,
      quit: () => quit?.(),
    },
    stdio,
  );
  server.serve(await openChardev('-gdb', { kind: 'unix', path, wait: false }, stdio));
  runner.start();
  try {
    return await runGdb(path, symbols, commands, started);
  } finally {
    server.close();
    machine.run.stop();
    await runner.end();
  }
}
