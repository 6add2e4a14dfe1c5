/**
 * The guest's debug registers as Linux's hw_breakpoint uses them, for ptrace and for perf events: the same stops as on a real processor, in
 * both tiers, with one vCPU and with two.
 */
import { describe, expect, it } from 'vitest';
import { GIB, Guest, MIB } from './harness';
import { Linux, linuxImage, missing } from './linux';
import { staticProgram, withProgram } from './own-program';

/** What a real processor made the program print, with two processors; but for the kernel's code, which needs a kernel with kprobes. */
const SEEN = `execute
  marked: breakpoint, DR6 ffff0ff1, rdi 1
  marked: breakpoint, DR6 ffff0ff1, rdi 2
  marked: breakpoint, DR6 ffff0ff1, rdi 3
write, 8 bytes
  stored: breakpoint, DR6 ffff0ff2, cell 5
  byte_stored: breakpoint, DR6 ffff0ff2, cell 70000000005
  stored: breakpoint, DR6 ffff0ff2, cell 6
read or write, 4 bytes
  stored: breakpoint, DR6 ffff0ff4, cell 5
  loaded: breakpoint, DR6 ffff0ff4, cell 5
  byte_stored: breakpoint, DR6 ffff0ff4, cell 70000000005
  stored: breakpoint, DR6 ffff0ff4, cell 6
write, 2 bytes of 8
  stored: breakpoint, DR6 ffff0ff8, cell 5
  stored: breakpoint, DR6 ffff0ff8, cell 6
several at one instruction
  stored: breakpoint, DR6 ffff0ffe, cell 5
  stored: breakpoint, DR6 ffff0ff1, cell 5
  loaded: breakpoint, DR6 ffff0ff4, cell 5
  byte_stored: breakpoint, DR6 ffff0ffe, cell 70000000005
  stored: breakpoint, DR6 ffff0ffe, cell 6
  stored: breakpoint, DR6 ffff0ff1, cell 6
each iteration of a string instruction
  filling: breakpoint, DR6 ffff0ff1, cell 5a5a5a5a5a, rcx 7
  filling: breakpoint, DR6 ffff0ff1, cell 5a5a5a5a5a5a, rcx 6
steps from a breakpoint
  marked: breakpoint, DR6 ffff0ff1, rdi 1
  marked_step: step, DR6 ffff4ff0, rdi 1
of two at once, the first: 20 at marked, 0 at stored, 0 elsewhere
of two at once, the second: 0 at marked, 20 at stored, 0 elsewhere
perf: 6 calls, 3 writes, 4 reads and writes
perf, samples: stored byte_stored stored
perf: the kernel's copy to a watched buffer is seen
perf, processor 0: 4 calls
perf, processor 1: 5 calls
perf: 6 calls of the kernel's getppid`;
/** More than the program takes, in instructions: it reads half of /proc/kallsyms. */
const LIMIT = 4e9;

const program = missing ?? staticProgram('hw-breakpoints.c', ['-O1']);
if (typeof program === 'string') console.warn(`left out: ${program}`);

describe.skipIf(typeof program === 'string')("Linux's hw_breakpoint", () => {
  it.each([1, 2])('stops programs where a real processor does, in both tiers alike, with %i vCPUs', { timeout: 240_000 }, async (smp) => {
    const guest = withProgram(linuxImage(), 'hw-breakpoints', program as Uint8Array);
    const options = { ram: 128 * MIB, slots: 8, maxmem: 4 * GIB, smp, guest };
    const linux = await Linux.boot({ ...options, accel: 'jit' });
    const saved = linux.machine.snapshot.capture();
    const interpreted = await Guest.boot({ ...options, accel: 'interp' });
    interpreted.machine.snapshot.restore(saved);

    const wanted = smp === 1 ? SEEN.replace('perf, processor 1: 5 calls\n', '') : SEEN;
    expect(linux.sh('/hw-breakpoints', LIMIT)).toBe(wanted);
    const counted = linux.machine.run.instructions;
    interpreted.type('/hw-breakpoints\r');
    interpreted.machine.run.advance(counted - interpreted.machine.run.instructions);
    expect(interpreted.machine.run.instructions).toBe(counted);
    expect(await interpreted.machine.digest()).toBe(await linux.machine.digest());
    expect(linux.complaints()).toEqual([]);
  });
});
