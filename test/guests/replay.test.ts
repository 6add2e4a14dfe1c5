import { describe, expect, it } from 'vitest';
import type { Machine, MachineOptions } from '../../engine/machine/index';
import { Monitor, noticeOf, QmpSession } from '../../engine/monitor/index';
import { testEnv } from '../../engine/monitor/testing';
import { multibootImage } from '../support/assembler';
import { COUNTER, startSecond } from '../support/two-vcpus';
import { Guest, rootFile } from './harness';

const kernel = rootFile('guests/memlab/memlab.elf');

/** Both vCPUs increment one word, in an order that the scheduler chooses. A byte on the serial line is answered with the word's value. */
const twoCpus = multibootImage((asm) => {
  startSecond(asm, 32);
  // 16 bits: xor ax, ax; mov ds, ax; lock inc dword [COUNTER]; add bl, 3; jmp back
  asm.b(0x31, 0xc0, 0x8e, 0xd8, 0xf0, 0x66, 0xff, 0x06, COUNTER & 255, COUNTER >> 8, 0x80, 0xc3, 0x03, 0xeb, -11 & 255);
});

/** Runs up to the breakpoint in stretches of seeded lengths, by `runUntil` or by count. */
function go(machine: Machine, stretch: number): void {
  machine.run.cont();
  for (let n = 0; machine.run.state === 'running'; n++) {
    const before = machine.run.instructions;
    if (stretch === 0) machine.run.until(0);
    else machine.run.advance(1 + ((n * 7919) % stretch));
    if (machine.run.state === 'running' && machine.run.instructions === before) throw new Error(`nothing more to run at ${before}`);
  }
}

interface Step {
  count: number;
  input?: string;
  command?: string;
}

/** Digests and output at each count of a run with the same inputs. */
async function run(options: Partial<MachineOptions>, steps: Step[], stretch: number): Promise<string[]> {
  let now = 0;
  const guest = await Guest.boot({ ...options, wallClock: () => (now += 1 + stretch / 1000) });
  const { machine } = guest;
  const monitor = new Monitor(machine, testEnv());
  const seen: string[] = [];
  for (const { count, input, command } of steps) {
    expect(await monitor.execute(`replay_break ${count}`)).toBe('');
    go(machine, stretch);
    expect(machine.run.instructions).toBe(count);
    seen.push(await monitor.execute('info digest'), guest.text);
    if (input !== undefined) guest.type(input);
    if (command !== undefined) expect(await monitor.execute(command)).not.toContain('Error');
  }
  return seen;
}

describe('two runs with the same inputs at the same instruction counts', () => {
  it('are equal in every bit, regardless of their stretches: memlab', async () => {
    const steps: Step[] = [
      { count: 12_345 },
      { count: 27_000, input: 'help\r' },
      { count: 40_001, command: 'object_add memory-backend-ram,id=m1,size=64M' },
      { count: 50_000, command: 'device_add pc-dimm,id=d1,memdev=m1' },
      { count: 60_001, input: 'bench\r' },
      { count: 1_000_001, input: 'mem\r' },
      { count: 5_000_000 },
    ];
    const guest = { name: 'memlab', kernel };
    const [first, ...others] = await Promise.all([0, 999, 54_321, 3_000_000].map((stretch) => run({ guest }, steps, stretch)));
    expect(first!.at(-1)).toContain('lab> ');
    expect(new Set(first).size).toBeGreaterThan(6);
    for (const other of others) expect(other).toEqual(first);
  });

  it('are equal with two vCPUs, for the guest as well', async () => {
    const steps: Step[] = [];
    for (let n = 1; n <= 20; n++) steps.push({ count: n * 41_017, input: String.fromCharCode(64 + n) });
    const guest = { name: 'two', kernel: twoCpus };
    const [first, ...others] = await Promise.all([0, 13, 7777, 500_000].map((stretch) => run({ guest, smp: 2 }, steps, stretch)));
    expect(first!.at(-1)!.length).toBeGreaterThan(10);
    for (const other of others) expect(other).toEqual(first);
  });
});

describe('replay_break', () => {
  const boot = async () => {
    const guest = await Guest.boot({ guest: { name: 'two', kernel: twoCpus }, smp: 2 });
    const lines: string[] = [];
    guest.machine.subscribe((event) => {
      const line = noticeOf(event);
      if (line) lines.push(line);
    });
    return { guest, machine: guest.machine, lines, monitor: new Monitor(guest.machine, testEnv()) };
  };

  it('pauses at the count, reports it once, and is deleted', async () => {
    const { machine, monitor, lines, guest } = await boot();
    await monitor.execute('replay_break 5000');
    expect(await monitor.execute('info replay')).toBe('Record/replay is not active: instruction count = 0, breakpoint at 5000\n');
    machine.run.until(Number.POSITIVE_INFINITY);
    expect(machine.run.state).toBe('paused');
    expect(await monitor.execute('info replay')).toBe('Record/replay is not active: instruction count = 5000\n');
    expect(lines).toEqual(['Stopped at instruction count 5000.']);
    expect(guest.events.filter((event) => event.type === 'state')).toEqual([{ type: 'state', state: 'paused' }]);
    machine.run.cont();
    machine.run.advance(10_000);
    expect(machine.run.state).toBe('running');
    expect(machine.run.instructions).toBe(15_000);
  });

  it('refuses a past count and names the current one; the current one stops at once', async () => {
    const { machine, monitor } = await boot();
    machine.run.advance(777);
    expect(await monitor.execute('replay_break 776')).toBe(
      'Error: cannot set breakpoint at the instruction in the past: 776 was requested, the count is 777 now\n',
    );
    expect(await monitor.execute('replay_break 1<<60')).toContain('Try "help replay_break"');
    expect(await monitor.execute('replay_break 0x1000000000000000')).toContain('Error: an instruction count is a whole number below 2^53');
    expect(machine.run.breakCount).toBeUndefined();
    expect(await monitor.execute('replay_break 777')).toBe('');
    machine.run.until(1e9);
    expect(machine.run.state).toBe('paused');
    expect(machine.run.instructions).toBe(777);
  });

  it('is there in QMP, with a STOP event', async () => {
    const { machine, monitor } = await boot();
    const sent: Record<string, unknown>[] = [];
    const qmp = new QmpSession(
      machine,
      monitor,
      (text) => sent.push(JSON.parse(text)),
      () => 0,
    );
    const ask = async (execute: string, members = {}) => {
      qmp.receive(new TextEncoder().encode(JSON.stringify({ execute, arguments: members })));
      await qmp.idle();
      return sent.at(-1);
    };
    await ask('qmp_capabilities');
    expect(await ask('replay-break', { icount: 321 })).toEqual({ return: {} });
    machine.run.until(1e9);
    expect(sent.at(-1)).toMatchObject({ event: 'STOP' });
    expect(await ask('query-replay')).toEqual({ return: { mode: 'none', icount: 321 } });
    expect(await ask('replay-break', { icount: 320 })).toMatchObject({ error: { class: 'GenericError' } });
    expect(await ask('replay-break', { icount: 1000 })).toEqual({ return: {} });
    expect(await ask('replay-delete-break')).toEqual({ return: {} });
    expect(machine.run.breakCount).toBeUndefined();
  });

  it('can be taken back', async () => {
    const { machine, monitor } = await boot();
    expect(await monitor.execute('replay_delete_break')).toBe('Error: replay breakpoint is not set\n');
    await monitor.execute('replay_break 100');
    expect(await monitor.execute('replay_delete_break')).toBe('');
    machine.run.advance(1000);
    expect(machine.run.instructions).toBe(1000);
    expect(machine.run.state).toBe('running');
  });

  it('stops a guest that a snapshot restored to before it, and is dropped if the snapshot is past it', async () => {
    const { machine } = await boot();
    const start = machine.snapshot.capture();
    machine.run.advance(20_000);
    const late = machine.snapshot.capture();
    const digest = await machine.digest();
    machine.run.breakAt(20_000);
    machine.snapshot.restore(start);
    machine.run.advance(1e6);
    expect(machine.run.instructions).toBe(20_000);
    expect(await machine.digest()).toBe(digest);
    machine.snapshot.restore(start);
    machine.run.breakAt(19_000);
    machine.snapshot.restore(late);
    expect(machine.run.breakCount).toBeUndefined();
  });
});
