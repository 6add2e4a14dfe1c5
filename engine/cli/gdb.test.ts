/** Debian's gdb, unmodified, on memlab as its sources build it with symbols. Without gdb or gcc (npm run setup brings both) it says so and passes. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../guests/memlab/compile';
import { Guest } from '../../test/guests/harness';
import { type Machine, Runner } from '../machine/index';
import { CommitLog, Monitor } from '../monitor/index';
import { testEnv } from '../monitor/testing';
import { Recorder } from '../replay/recorder';
import { historyOf } from '../shell/history';
import { openChardev } from './connection';
import { GdbServer } from './gdb-server';

const folder = mkdtempSync(join(tmpdir(), 'lab-gdb-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const works = (command: string): boolean => {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const ready = works('gdb') && works('gcc');
if (!ready) console.log('gdb or gcc is missing: the gdb stub was not tried with them (npm run setup)');

/** What the guest is told, all of it before it starts: no wall clock has a say then. */
const TYPED = 'poke 0x500000 0x77\rpeek 0x500000\rpoke 0x500000 0x1234\rfill 0x600000 0x10000 0x5a\rsum 0x600000 0x10000\r';

async function boot(kernel: string): Promise<Guest> {
  let now = 0;
  // Time passes by looking at it, and slowly: the guest sleeps nothing away.
  const guest = await Guest.boot({ guest: { name: 'memlab', kernel: readFileSync(kernel) }, accel: 'jit', wallClock: () => (now += 0.01) });
  guest.machine.run.stop();
  return guest;
}

/** Runs gdb's commands against the machine; what gdb prints. */
async function debug(machine: Machine, symbols: string, commands: string): Promise<string> {
  const path = join(folder, `gdb${Math.random()}.sock`);
  const script = join(folder, 'script.gdb');
  writeFileSync(script, `set pagination off\nset confirm off\nset width 0\ntarget remote ${path}\n${commands}`);
  const runner = new Runner({
    machine,
    wallClock: () => performance.now(),
    yieldTurn: () => new Promise((resolve) => setImmediate(resolve)),
    setTimer: (wake, ms) => setTimeout(wake, ms),
    clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
  });
  const monitor = new Monitor(machine, testEnv());
  const recorder = new Recorder(machine, runner, () => {});
  const commits = new CommitLog(machine, () => 0);
  const backwards = historyOf({ machine, recorder, commits, wallClock: () => performance.now() });
  recorder.take({ kind: 'console', text: TYPED }, () => machine.serial.input(new TextEncoder().encode(TYPED)));
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
      turn: () => new Promise((resolve) => setImmediate(resolve)),
      wallClock: () => performance.now(),
      quit: () => {},
    },
    stdio,
  );
  server.serve(await openChardev('-gdb', { kind: 'unix', path, wait: false }, stdio));
  runner.start();
  try {
    return await new Promise((resolve, reject) => {
      let text = '';
      const gdb = spawn('gdb', ['-nx', '-batch', '-x', script, symbols], { env: { ...process.env, LC_ALL: 'C' } });
      for (const stream of [gdb.stdout, gdb.stderr]) stream.on('data', (chunk) => (text += chunk));
      // A gdb that waits for ever is shown with what it said.
      const late = setTimeout(() => gdb.kill('SIGKILL'), 60_000);
      gdb.on('error', reject);
      gdb.on('close', () => {
        clearTimeout(late);
        resolve(text);
      });
    });
  } finally {
    server.close();
    machine.run.stop();
    await runner.end();
  }
}

describe.runIf(ready)('gdb', () => {
  let kernel: string;
  let symbols: string;
  beforeAll(() => {
    ({ kernel, symbols } = build(folder, true));
  });

  it('attaches before the first instruction, breaks, steps, finishes, watches, reads and detaches; the guest is as it is without', async () => {
    const guest = await boot(kernel);
    const text = await debug(
      guest.machine,
      symbols,
      `info registers rip cs cr0
hbreak lab_main
continue
bt
p $efer
stepi
break command_poke
continue
bt
finish
delete 2
watch *(unsigned long *)0x500000
continue
p/x *(unsigned long *)0x500000
monitor info memslots
maintenance packet Qqemu.PhyMemMode:1
x/1gx 0x500000
maintenance packet Qqemu.PhyMemMode:0
info threads
delete
break command_sum
continue
monitor info replay
monitor info digest
p $rip
x/4i $pc
detach
`,
    );
    expect(text).toMatch(/rip +0x100010 +0x100010 <_start>/);
    expect(text).toContain('Breakpoint 1, lab_main');
    expect(text).toMatch(/#1 +0x[0-9a-f]+ in start64/);
    expect(text).toContain('[ LME LMA ]');
    expect(text).toMatch(/Breakpoint 2, command_poke \(address=5242880, value=119\)/);
    expect(text).toMatch(/#[123] +.* in shell \(\)|#2 +shell \(\)/);
    expect(text).toMatch(/Hardware watchpoint 3[\s\S]*Old value = 119\s+New value = 4660/);
    expect(text).toContain('= 0x1234');
    expect(text).toMatch(/id +as +gpa/);
    expect(text).toMatch(/0x500000:\t0x0000000000001234/);
    expect(text).toContain('CPU#0');
    expect(text).toContain('command_sum (address=6291456');
    const count = Number(/instruction count = (\d+)/.exec(text)?.[1]);
    const digest = /[0-9a-f]{64}/.exec(text)?.[0];
    const plain = await boot(kernel);
    plain.type(TYPED);
    plain.machine.run.advance(count);
    expect(plain.machine.run.instructions).toBe(count);
    expect(await plain.machine.digest()).toBe(digest);
  });

  it('goes back to the writes that a watchpoint saw, to the beginning, and on to the present; the guest is as it was', async () => {
    const guest = await boot(kernel);
    const text = await debug(
      guest.machine,
      symbols,
      `break command_sum
continue
monitor info digest
delete
watch *(unsigned long *)0x500000
reverse-continue
p/x *(unsigned long *)0x500000
reverse-continue
reverse-stepi
stepi
delete
reverse-continue
info registers rip
continue
monitor info digest
detach
`,
    );
    expect(text).toMatch(/Old value = 4660\s+New value = 119\s+command_poke \(address=5242880, value=4660\)/);
    expect(text).toContain('= 0x77');
    expect(text).toMatch(/Old value = 119\s+New value = 0\s+command_poke \(address=5242880, value=119\)/);
    expect(text).toContain('No more reverse-execution history');
    expect(text).toMatch(/rip +0x100010 +0x100010 <_start>/);
    const [before, after] = text.match(/[0-9a-f]{64}/g) ?? [];
    expect(before).toBeDefined();
    expect(after).toBe(before);
  });

  it('sets memory and registers, and says what cannot be read', async () => {
    const guest = await boot(kernel);
    const text = await debug(
      guest.machine,
      symbols,
      `break command_poke
continue
set var *(unsigned long *)0x700000 = 0x1122334455667788
p/x *(unsigned long *)0x700000
set $rsi = 0x99
delete
finish
p/x *(unsigned long *)0x500000
p $xmm0.uint128 = 5
p $xmm0.uint128
x/1gx 0xffffffff00000000
`,
    );
    expect(text).toContain('= 0x1122334455667788');
    expect(text).toContain('= 0x99');
    expect(text).toContain('Cannot access memory at address 0xffffffff00000000');
    expect(text.match(/= 5$/gm)).toHaveLength(2);
  });
});
