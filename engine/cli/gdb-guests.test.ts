/** Debian's gdb on a guest with two vCPUs, and on a running Linux. At the end of a replay: replay.test.ts. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { build } from '../../guests/memlab/compile';
import { Guest, MIB } from '../../test/guests/harness';
import { file, linuxImage, missing } from '../../test/guests/linux';
import { debug, gdbFolder, gdbReady } from '../../test/support/gdb-client';
import { Monitor } from '../monitor/index';
import { testEnv } from '../monitor/testing';

afterAll(() => rmSync(gdbFolder, { recursive: true, force: true }));

/** Each of them, after the previous one. */
function inTurn(text: string, ...phrases: readonly string[]): void {
  let at = 0;
  for (const phrase of phrases) {
    const found = text.indexOf(phrase, at);
    if (found < 0) expect(text.slice(at)).toContain(phrase);
    at = found + phrase.length;
  }
}

describe.runIf(gdbReady)('gdb with two vCPUs', () => {
  /** It never sleeps, so the wall clock has no influence. */
  async function guest(kernel: string): Promise<Guest> {
    const image = { name: 'two-vcpus', kernel: readFileSync(kernel) };
    const made = await Guest.boot({ guest: image, smp: 2, accel: 'jit', wallClock: () => performance.now() });
    made.machine.run.stop();
    return made;
  }

  it('watches the other vCPU’s writes, forward and backward, and steps each vCPU in both directions', async () => {
    const two = '../../test/guests/two-vcpus';
    const { kernel, symbols } = build(gdbFolder, true, [`${two}/start.S`, `${two}/main.c`]);
    const text = await debug(
      (await guest(kernel)).machine,
      symbols,
      `break round_of if number == 2
continue
info threads
delete
watch shared
continue
backtrace
continue
monitor info replay
monitor info digest
reverse-continue
reverse-continue
reverse-continue
continue
delete
continue
monitor info digest
thread 1
break round_of thread 1
continue
step
step
finish
next
reverse-next
reverse-finish
reverse-step
thread 2
reverse-stepi
reverse-stepi
info threads
detach
`,
    );
    expect(text).toMatch(/^\* 1 +Thread 1 \(CPU#0.*round_of \(number=number@entry=2\)[\s\S]*^ {2}2 +Thread 2 \(CPU#1 \[running\]\)/m);
    const write = (from: number, to: number): string =>
      `Thread 2 hit Hardware watchpoint 2: shared\n\nOld value = ${from}\nNew value = ${to}\nsecond ()`;
    const end = 'No more reverse-execution history';
    inTurn(text, write(0, 1), write(1, 2), write(2, 1), write(1, 0), end, write(0, 1), end);
    const [stopped, present] = text.match(/[0-9a-f]{64}/g) ?? [];
    expect(present).toBe(stopped);
    const count = Number(/instruction count = (\d+)/.exec(text)?.[1]);
    const plain = await guest(kernel);
    plain.machine.run.advance(count);
    expect(plain.machine.run.instructions).toBe(count);
    expect(await plain.machine.digest()).toBe(stopped);
    const place = (words: string, line: number, number: number): string =>
      `${words}, round_of (number=number@entry=${number}) at ${two}/main.c:${line}`;
    const broken = 'Thread 1 hit Breakpoint 3';
    const [, number = ''] = /^Thread 1 hit Breakpoint 3, round_of \(number=number@entry=(\d+)\)/m.exec(text) ?? [];
    inTurn(text, place(broken, 17, Number(number)), 'twice (value=', 'Value returned is $1', place(broken, 17, Number(number) + 1));
    // reverse-next is in the loop before, reverse-finish at the breakpoint that lies on the way to the call, reverse-step before it.
    inTurn(
      text,
      place(broken, 17, Number(number) + 1),
      'lab_main ()',
      place(broken, 17, Number(number)),
      'lab_main ()',
      '[Switching to thread 2',
    );
    expect(text).toMatch(/^\* 2 +Thread 2 .*second \(\)/m);
    expect(text).toContain('[Inferior 1 (Remote target) detached]');
  });
});

describe.runIf(gdbReady && missing === undefined)('gdb with Linux', () => {
  const boot = (): Promise<Guest> =>
    Guest.boot({ guest: linuxImage('console=ttyS0 nokaslr'), ram: 256 * MIB, wallClock: () => performance.now() });

  /** The kernel's own file has no symbols: adds some, at addresses from the kernel itself. */
  async function vmlinux(names: readonly string[]): Promise<string> {
    const guest = await boot();
    guest.machine.run.advance(20_000_000);
    const monitor = new Monitor(guest.machine, testEnv());
    const [bare, path] = [join(gdbFolder, 'vmlinux.bare'), join(gdbFolder, 'vmlinux')];
    writeFileSync(bare, file('linux.vmlinux.gz'));
    const symbols: string[] = [];
    for (const name of names) {
      const address = BigInt(/0x[0-9a-f]+/.exec(await monitor.execute(`symbol ${name}`))![0]);
      symbols.push('--add-symbol', `${name}=.text:0x${(address - 0xffffffff81000000n).toString(16)},function,global`);
    }
    execFileSync('objcopy', [...symbols, bare, path]);
    return path;
  }

  it('breaks into the kernel as it runs, with its symbols, at a function and by Ctrl-C', async () => {
    const symbols = await vmlinux(['vfs_write', 'native_safe_halt', 'default_idle', 'default_idle_call', 'do_idle', 'cpu_startup_entry']);
    const guest = await boot();
    guest.machine.run.stop();
    const text = await debug(
      guest.machine,
      symbols,
      `hbreak vfs_write
continue
info registers rip
delete
continue
backtrace 1
monitor info backtrace
reverse-stepi
detach
`,
      {
        started(gdb) {
          // The second `continue` ends by Ctrl-C only, once /init has run.
          const undo = guest.machine.serial.onOutput(() => {
            if (!guest.text.includes('guest# ')) return;
            undo();
            gdb.kill('SIGINT');
          });
        },
      },
    );
    expect(text).toMatch(/Breakpoint 1, 0xffffffff[0-9a-f]+ in vfs_write \(\)/);
    expect(text).toContain('Program received signal SIGINT, Interrupt.');
    // Wherever it stopped, the backtrace is the machine's own, and one instruction back is in the past.
    expect(text).toMatch(/^#0 +0x[0-9a-f]+/m);
    expect(text).toContain('[Inferior 1 (Remote target) detached]');
  }, 60_000);
});
