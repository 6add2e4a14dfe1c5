import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Guest, MIB } from '../../test/guests/harness';
import { Monitor } from '../monitor/index';
import { testEnv } from '../monitor/testing';
import { RING_SIZE, TraceRing } from './ring';
import { tracerOf } from './tracer';
import { type TraceAsked, traceNext, traceView } from './view';

const kernel = new Uint8Array(readFileSync(new URL('../../guests/memlab/memlab.elf', import.meta.url)));
const KINDS = ['exits', 'commits', 'faults', 'interrupts', 'devices', 'dirty'] as const;
const ALL: TraceAsked = { kinds: KINDS, filter: '', from: 0, count: 256, columns: 40 };
const GPA = 0x10000000;

async function boot(options: Parameters<typeof Guest.boot>[0] = {}): Promise<{ guest: Guest; line: (text: string) => Promise<string> }> {
  const guest = await Guest.boot({ guest: { name: 'memlab', kernel }, ram: 192 * MIB, ...options });
  guest.until('lab> ');
  const monitor = new Monitor(guest.machine, testEnv());
  return { guest, line: (text) => monitor.execute(text) };
}

/** memlab reads one address while its slot is elsewhere. */
async function hole(
  accel: 'jit' | 'interp',
  trace: string | undefined,
): Promise<{ guest: Guest; line: (text: string) => Promise<string> }> {
  const lab = await boot({ accel });
  for (const text of ['object_add memory-backend-ram,id=m1,size=64M', 'device_add pc-dimm,id=d1,memdev=m1']) await lab.line(text);
  lab.guest.type(`watch 0x${GPA.toString(16)}\r`);
  lab.guest.machine.run.advance(5e6);
  if (trace !== undefined) expect(await lab.line(`trace-event ${trace} on`)).toBe('');
  await lab.line('memslot_move 5 0x18000000');
  lab.guest.machine.run.advance(1e5);
  await lab.line('undo');
  lab.guest.machine.run.advance(2e6);
  return lab;
}

describe('the ring', () => {
  it('keeps the last events and their numbers, and forgets what lasted too long ago', () => {
    const ring = new TraceRing();
    for (let seq = 0; seq < RING_SIZE + 10; seq++) ring.add(1, 0, seq, 0, seq, 0, 0, 2, -1);
    expect([ring.first, ring.total]).toEqual([10, RING_SIZE + 10]);
    expect(ring.get(10)).toMatchObject({ seq: 10, time: 10, a: 10, duration: 0 });
    ring.lasted(5, 99);
    ring.lasted(RING_SIZE + 9, 7);
    expect(ring.get(RING_SIZE + 9).duration).toBe(7);
    expect(ring.get(RING_SIZE + 5 - RING_SIZE + 10).duration).toBe(0);
    // Events that never happened make room; those that they overwrote do not return.
    ring.cut(100);
    expect([ring.first, ring.total, ring.get(99).a]).toEqual([10, 100, 99]);
    ring.cut(3);
    expect([ring.first, ring.total]).toEqual([10, 10]);
  });
});

describe('a trace', () => {
  it('changes nothing: the digest is that of a run without, in either tier', async () => {
    const digests = new Set<string>();
    const traces: string[] = [];
    for (const [accel, trace] of [['jit'], ['jit', '*'], ['interp', '*']] as const) {
      const { machine } = (await hole(accel, trace)).guest;
      digests.add(await machine.digest());
      // Fills depend on the tier.
      const kinds = KINDS.filter((kind) => kind !== 'faults');
      if (trace) traces.push(JSON.stringify([0, 256, 512].map((from) => traceView(machine, { ...ALL, kinds, from, columns: 0 }).rows)));
    }
    expect(digests.size).toBe(1);
    expect(traces[0]!.length).toBeGreaterThan(1000);
    expect(traces[1]).toBe(traces[0]);
  });

  it('shows the events of a move: phases, holes at the watched address, accesses by device, all in order', async () => {
    const { guest, line } = await hole('jit', '*');
    const { machine } = guest;
    const holes = traceView(machine, { ...ALL, filter: `event:vcpu_hole gpa:0x${GPA.toString(16)}` });
    expect(holes.matched).toBe(machine.inspect.holes.total);
    expect(holes.matched).toBeGreaterThan(10);
    // Equal events are one row.
    expect(holes.rowCount).toBeLessThan(holes.matched / 5);
    expect(holes.rows[0]).toMatchObject({ lane: 'vCPU 0', what: expect.stringContaining('at 0x10000000: nothing is there') });
    // The instruction that read, by name: the one in `watch`.
    const read = holes.rows[0]!.code!;
    expect(read).toMatch(/^[a-z_]+\+0x[0-9a-f]+$/);
    expect(await line(`x /1i ${read}`)).toMatch(/ mov/);
    const phases = traceView(machine, { ...ALL, kinds: ['commits'] }).rows.map(({ event, what, lane }) => `${lane} ${event} ${what}`);
    expect(phases.slice(0, 6)).toEqual([
      'commits memslot_validate memslot 5',
      'commits memslot_prepare memslot 5',
      'commits memslot_publish swap 1 of 2',
      'commits memslot_zap 16384 pages in 1 range',
      'commits memslot_publish swap 2 of 2',
      'commits memslot_commit move 5',
    ]);
    const serial = traceView(machine, { ...ALL, kinds: ['devices'], filter: 'serial' });
    expect(serial.rows[0]?.what).toMatch(/^(in|out) 1 byte at port 0x3f[0-9a-f] serial, 0x/);
    // The view and info kvm-stat have the same counts.
    const stat = await line('info kvm-stat');
    // In perf's format, so that scripts for its report can read it.
    expect(stat).toContain('             VM-EXIT    Samples  Samples%     Time%    Min Time    Max Time         Avg time\n\n');
    for (const row of stat.split('\n').slice(2, -2).filter(Boolean))
      expect(row).toMatch(
        /^[A-Z_ ]{20} {1,10}\d+ +\d+\.\d\d% +\d+\.\d\d% +\d+\.\d\dus +\d+\.\d\dus +\d+\.\d\dus \( \+- {1,6}\d+\.\d\d% \)$/,
      );
    expect(stat).toContain(` HOLE ${String(holes.matched).padStart(10)} `);
    expect(Number(/Total Samples:(\d+)/.exec(stat)?.[1])).toBe(
      tracerOf(machine)
        .stat.rows()
        .reduce((sum, { samples }) => sum + samples, 0),
    );
    for (const row of traceView(machine, { ...ALL, filter: 'vcpu:0' }).rows) expect(row.until).toBeGreaterThanOrEqual(row.time);
    // The next and the previous event of a kind.
    const view = traceView(machine, ALL);
    const next = traceNext(machine, { ...ALL, seq: view.rows[0]!.seq, event: 'memslot_commit' })!;
    const [found] = traceView(machine, { ...ALL, from: next, count: 1 }).rows;
    expect(found?.event).toBe('memslot_commit');
    expect(traceNext(machine, { ...ALL, seq: found!.seq, event: 'memslot_commit', back: true })).toBeUndefined();
    // Lanes and rows have the same counts.
    const sum = (numbers: number[]): number => numbers.reduce((all, each) => all + each, 0);
    expect(sum(holes.lanes.flatMap((lane) => lane.holes))).toBe(holes.matched);
  });

  it('records a stepped commit: retries last while they wait, and halts while they sleep', async () => {
    let wall = 0;
    const { guest, line } = await boot({ smp: 2, wallClock: () => wall });
    const { machine } = guest;
    for (const text of ['object_add memory-backend-ram,id=m1,size=64M', 'device_add pc-dimm,id=d1,memdev=m1']) await line(text);
    guest.type(`watch 0x${GPA.toString(16)}\r`);
    machine.run.advance(10e6);
    await line('trace-event vcpu_* on');
    for (const text of [
      'changeset_begin',
      'memslot_move 5 0x18000000',
      'changeset_commit -s',
      'changeset_step',
      'changeset_step',
      'changeset_step',
      'changeset_step',
    ])
      await line(text);
    // An idle machine's time follows the wall clock.
    for (let n = 0; n < 5; n++) {
      wall += 4;
      machine.run.until(wall);
    }
    await line('changeset_step -a');
    // The vCPU retries in its next round.
    for (let n = 0; n < 3; n++) machine.run.advance(1e5);
    const rows = tracerOf(machine).stat.rows();
    const retry = rows.find(({ reason }) => reason === 'RETRY')!;
    expect(retry.samples).toBe(machine.inspect.stats().retries);
    expect(retry.total).toBeGreaterThan(0);
    expect(retry.max).toBeLessThanOrEqual(retry.total);
    expect(traceView(machine, { ...ALL, filter: 'event:vcpu_retry' }).rows[0]?.what).toMatch(
      /^0x10000[0-9a-f]{3} lies in an INVALID slot(, \d+ ns)?$/,
    );
    // Only enabled events are in the ring.
    expect(new Set(traceView(machine, ALL).rows.map(({ event }) => event.split('_')[0]))).toEqual(new Set(['vcpu']));
  });

  it('knows the slots of accesses, holes and commits, and filters by them and by exit', async () => {
    const { guest, line } = await hole('jit', '*');
    const { machine } = guest;
    const of = (filter: string) => traceView(machine, { ...ALL, filter });
    const holes = of('reason:hole');
    expect(holes.matched).toBe(machine.inspect.holes.total);
    expect(of('slot:5 reason:HOLE').matched).toBe(holes.matched);
    expect(holes.rows[0]).toMatchObject({ slot: 5, event: 'vcpu_hole' });
    expect(of('slot:4 reason:HOLE').matched).toBe(0);
    const commits = traceView(machine, { ...ALL, kinds: ['commits'] });
    expect(commits.matched).toBe(12);
    expect(of('slot:5 event:memslot_*').matched).toBe(12);
    expect(of('slot:4,5 event:memslot_*').matched).toBe(12);
    expect(of('slot:4 event:memslot_*').matched).toBe(0);
    expect(of('slot:5 event:tlb_fill').rows.every(({ slot }) => slot === 5)).toBe(true);
    // The same in the monitor, with the code that ran: equal events are one line.
    expect(await line('info trace slot:5 reason:HOLE')).toMatch(
      new RegExp(
        `^${holes.matched} of \\d+ events match\n *\\d+\\.\\d{6} ms vCPU 0 .* vcpu_hole: read 4 bytes at 0x10000000: nothing is there, [a-z_]+\\+0x[0-9a-f]+; ${holes.matched} alike until `,
      ),
    );
    expect(await line('info trace /2 vcpu:0')).toMatch(/^\d+ of \d+ events match, \d+ older lines are left out\n.*\n.*\n$/);
    expect(await line('info trace slot:x')).toBe('Error: slot:x is not a memslot id\n');
    expect(await line('info trace reason:none')).toMatch(/^Error: reason:none: there is no such exit; there are HLT, HOLE, RETRY, /);
    expect(await line('info trace /x')).toMatch(/'\/x' is not a number of lines/);
    expect((await line('info trace /1 event:memslot_commit')).split('\n')).toHaveLength(3);
    await line('trace_clear');
    expect(await line('info trace')).toMatch(/no event was recorded/);
  });

  it('has only one past: repeated events are not recorded twice, and discarded ones are gone', async () => {
    const { guest, line } = await hole('jit', undefined);
    const { machine } = guest;
    const { checkpoints } = machine;
    checkpoints.keep({ instructions: 1e9, bytes: 64 * MIB, mark: () => undefined });
    await line('trace-event memslot_* on');
    const commits = (): string[] =>
      traceView(machine, { ...ALL, kinds: ['commits'], filter: 'event:memslot_commit' }).rows.map(({ what }) => what);
    await line('memslot_move 5 0x18000000');
    machine.run.advance(1e6);
    checkpoints.take();
    const back = (): void => checkpoints.to(checkpoints.list().length - 1);
    machine.run.advance(1e6);
    await line('memslot_move 5 0x1c000000');
    expect(commits()).toEqual(['move 5', 'move 5']);
    const { total } = tracerOf(machine).ring!;
    // Back, and the same events again.
    checkpoints.muted = true;
    back();
    machine.run.cont();
    machine.run.advance(1e6);
    await line('memslot_move 5 0x1c000000');
    checkpoints.muted = false;
    expect(tracerOf(machine).ring!.total).toBe(total);
    // From there on a new course.
    back();
    await line('memslot_flags 5 -l');
    expect(commits()).toEqual(['move 5', 'flags-only 5']);
    checkpoints.keep(undefined);
  });

  it('shows commits that were refused, with the phase and the reason, but no dry runs', async () => {
    const { guest, line } = await hole('jit', '*');
    await line('trace_clear');
    await line('changeset_begin');
    await line('memslot_move 5 0x1000');
    await line('changeset_check');
    expect(traceView(guest.machine, { ...ALL, kinds: ['commits'] }).matched).toBe(0);
    expect(await line('changeset_commit')).toMatch(/^entry 1: EEXIST: /);
    const [refused, ...more] = traceView(guest.machine, { ...ALL, kinds: ['commits'] }).rows;
    expect(more).toEqual([]);
    expect(refused).toMatchObject({ event: 'memslot_refused', what: expect.stringMatching(/^in validate: EEXIST, /) });
    await line('changeset_abort');
    // Aborted between two phases.
    for (const text of [
      'changeset_begin',
      'memslot_move 5 0x18000000',
      'changeset_commit -s',
      'changeset_step',
      'changeset_step',
      'changeset_abort',
    ])
      await line(text);
    const rows = traceView(guest.machine, { ...ALL, kinds: ['commits'] }).rows.map(({ event, what }) => `${event} ${what}`);
    expect(rows.slice(1)).toEqual([
      'memslot_validate memslot 5',
      'memslot_prepare memslot 5',
      'memslot_refused in swap1: ESTALE, the change set was aborted',
    ]);
  });

  it('shows what a harvest of a bitmap takes', async () => {
    const { guest, line } = await hole('jit', '*');
    await line('memslot_flags 5 -l');
    guest.machine.run.advance(1e6);
    await line('trace_clear');
    guest.type('\rfill 0x10000000 0x40000 0x5a\r');
    guest.machine.run.advance(5e6);
    await line('dirty_log 5');
    const rows = traceView(guest.machine, { ...ALL, kinds: ['dirty'], filter: 'event:*harvest' }).rows;
    expect(rows.map(({ what }) => what)).toEqual(['64 pages of memslot 5']);
    expect(traceView(guest.machine, { ...ALL, kinds: ['dirty'], filter: 'slot:5 event:dirty_page' }).matched).toBe(64);
    expect(traceView(guest.machine, { ...ALL, kinds: ['dirty'], filter: 'slot:5 event:dirty_protect' }).matched).toBe(1);
  });

  it('shows how long a full dirty ring stops its vCPU, and the harvest and the reset that resume it', async () => {
    const { guest, line } = await boot({ dirtyRing: { entries: 256 } });
    const { machine } = guest;
    for (const text of ['object_add memory-backend-ram,id=m1,size=64M', 'device_add pc-dimm,id=d1,memdev=m1', 'memslot_flags 5 -l'])
      await line(text);
    machine.run.advance(1e6);
    await line('trace-event *dirty_ring* on');
    guest.type('fill 0x10000000 0x200000 0x5a\r');
    machine.run.advance(5e6);
    await line('dirty_ring harvest 10');
    expect(await line('dirty_ring reset')).toBe('10 entries freed\n');
    machine.run.advance(1e5);
    const rows = traceView(machine, ALL).rows.map(({ lane, event, what }) => `${lane} ${event} ${what}`);
    // With one vCPU, waiting takes no guest time: the clock follows instructions.
    expect(rows).toEqual([
      'vCPU 0 vcpu_dirty_ring_full its dirty ring is full',
      'commits dirty_ring_harvest 10 pages of memslot 5',
      'commits dirty_ring_reset 10 entries are free',
      'vCPU 0 vcpu_dirty_ring_full its dirty ring is full',
    ]);
  });

  it('has exceptions and interrupts, with their vectors', async () => {
    const { guest, line } = await boot();
    await line('trace-event exception on');
    await line('trace-event interrupt on');
    guest.type('fault\r');
    guest.machine.run.advance(3e6);
    const { rows } = traceView(guest.machine, ALL);
    expect(rows.some(({ event, what }) => event === 'exception' && /^#[A-Z]{2}, error code 0x/.test(what))).toBe(true);
    expect(rows.some(({ event, what }) => event === 'interrupt' && /^vector 0x[0-9a-f]+$/.test(what))).toBe(true);
  });
});

describe('at the monitor', () => {
  it('events go on and off by name and pattern, as in QEMU', async () => {
    const { line } = await boot();
    expect(await line('info trace-events cpu_*')).toBe('cpu_in : state 0\ncpu_out : state 0\n');
    expect(await line('info kvm-stat')).toMatch(/^The trace is off/);
    expect(await line('trace-event cpu_out on')).toBe('');
    expect(await line('info trace-events cpu_*')).toBe('cpu_in : state 0\ncpu_out : state 1\n');
    expect(await line('trace-event nonsense on')).toBe('Error: unknown event "nonsense"\n');
    expect(await line('trace-event * maybe')).toMatch(/neither on nor off/);
    expect(await line('info trace-events (((')).toBe('Error: unknown event "((("\n');
    await line('trace-event * off');
    expect(await line('info trace-events')).not.toContain('state 1');
  });

  it('trace_dump writes what Perfetto reads: trace-event JSON with a thread for each vCPU', async () => {
    const { guest } = await hole('jit', '*');
    const env = testEnv();
    const monitor = new Monitor(guest.machine, env);
    expect(await monitor.execute('trace_dump /tmp/t.json')).toBe('');
    const { traceEvents, displayTimeUnit } = JSON.parse(new TextDecoder().decode(env.files.get('/tmp/t.json')!));
    expect(displayTimeUnit).toBe('ns');
    const names = traceEvents.filter(({ ph }: { ph: string }) => ph === 'M').map(({ args }: { args: { name: string } }) => args.name);
    expect(names).toEqual(['memlab', 'commits', 'vCPU 0']);
    const rest = traceEvents.slice(names.length);
    const { ring } = tracerOf(guest.machine);
    expect(rest).toHaveLength(ring!.total - ring!.first);
    for (const event of rest) {
      expect(event).toMatchObject({ name: expect.any(String), ts: expect.any(Number), pid: 1, tid: expect.any(Number) });
      expect(event.ph === 'X' ? event.dur > 0 : event.ph === 'i' && event.s === 't').toBe(true);
    }
    await monitor.execute('trace_clear');
    expect(await monitor.execute('trace_dump /tmp/t.json')).toMatch(/no event was recorded/);
  });
});

describe('an invalid view request', () => {
  it('is bounded and says what is wrong', async () => {
    const { guest } = await hole('jit', '*');
    const { machine } = guest;
    const odd = { ...ALL, from: -5, count: 1e9, columns: 1e9, start: Number.NaN, end: Number.NaN };
    const view = traceView(machine, odd);
    expect(view.rows.length).toBeLessThanOrEqual(256);
    expect(view.lanes.every(({ counts }) => counts.length <= 1024)).toBe(true);
    expect(traceView(machine, { ...ALL, filter: 'gpa:zz' }).wrong).toMatch(/gpa:zz is not an address/);
    expect(traceView(machine, { ...ALL, filter: 'event:none' }).wrong).toMatch(/no such event/);
    expect(traceView(machine, { ...ALL, kinds: [] }).rows).toEqual([]);
    expect(traceView(machine, { ...ALL, filter: '( [ \\ *' }).matched).toBe(0);
  });
});
