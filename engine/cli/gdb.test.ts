/** Debian's gdb, unmodified, on memlab built from its sources with symbols. Other guests: gdb-guests.test.ts. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../../guests/memlab/compile';
import { Guest } from '../../test/guests/harness';
import { debug, gdbFolder, gdbReady } from '../../test/support/gdb-client';

afterAll(() => rmSync(gdbFolder, { recursive: true, force: true }));

const TYPED = 'poke 0x500000 0x77\rpeek 0x500000\rpoke 0x500000 0x1234\rfill 0x600000 0x10000 0x5a\rsum 0x600000 0x10000\r';
const typed = { typed: TYPED };

async function boot(kernel: string): Promise<Guest> {
  let now = 0;
  // The clock advances only when read, and slowly, so the guest does not skip time by sleeping.
  const guest = await Guest.boot({ guest: { name: 'memlab', kernel: readFileSync(kernel) }, accel: 'jit', wallClock: () => (now += 0.01) });
  guest.machine.run.stop();
  return guest;
}

describe.runIf(gdbReady)('gdb', () => {
  let kernel: string;
  let symbols: string;
  beforeAll(() => {
    ({ kernel, symbols } = build(gdbFolder, true));
  });

  it('attaches before the first instruction, breaks, steps, finishes, watches, reads and kills; the guest runs the same as without gdb', async () => {
    const guest = await boot(kernel);
    let quits = 0;
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
kill
`,
      { ...typed, quit: () => quits++ },
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
    expect(quits).toBe(1);
  });

  it('goes back to the writes that a watchpoint saw, to the beginning, and forward to the present; the guest is unchanged', async () => {
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
continue
continue
reverse-continue
reverse-stepi
stepi
delete
reverse-continue
info registers rip
continue
monitor info digest
reverse-stepi
detach
`,
      typed,
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

  it('sets memory and registers, watches reads, moves whole megabytes, and reports what is impossible', async () => {
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
maintenance packet QNonStop:1
delete
rwatch *(unsigned long *)0x500008
awatch *(unsigned long *)0x500010
hbreak command_sum
continue
continue
continue
dump binary memory DUMP 0x100000 0x300000
restore DUMP binary 0x1000000
dump binary memory DUMP2 0x1000000 0x1200000
set var *(char[8] *)0x700000 = "abcdefg"
x/s 0x700000
step
next
x/1gx 0xffffffff00000000
`.replaceAll('DUMP', join(gdbFolder, 'memory')),
      { typed: `${TYPED}peek 0x500008\rpoke 0x500010 7\r` },
    );
    expect(text).toContain('= 0x1122334455667788');
    expect(text).toContain('= 0x99');
    expect(text).toContain('Cannot access memory at address 0xffffffff00000000');
    expect(text.match(/= 5$/gm)).toHaveLength(2);
    expect(text).toContain('received: "E.non-stop mode is not supported');
    expect(text).toMatch(/Hardware read watchpoint \d: [^\n]*0x500008\s+Value = 0\s/);
    expect(text).toMatch(/Hardware access \(read\/write\) watchpoint \d: [^\n]*0x500010\s+Old value = 0\s+New value = 7\s/);
    expect(text).toContain('command_sum (address=6291456');
    expect(readFileSync(join(gdbFolder, 'memory2')).equals(readFileSync(join(gdbFolder, 'memory')))).toBe(true);
    expect(text).toContain('0x700000:\t"abcdefg"');
    expect(text).toMatch(/^command_poke \(address=5242896, value=7\) at memory.c:15$/m);
  });
});
