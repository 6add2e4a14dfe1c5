/** dirty_log_mode and dirty_ring as a user types them. */
import { describe, expect, it } from 'vitest';
import { noticeOf } from './notices';
import { testMonitor } from './testing';

const GIB4 = 0x100000000;
const PAGE = 4096;

describe('dirty_log_mode', () => {
  it('manual: a log is only cleared with -c', async () => {
    const { monitor, machine } = await testMonitor();
    expect(await monitor.execute('dirty_log_mode')).toBe('normal\n');
    expect(await monitor.execute('dirty_log_mode manual')).toBe('');
    await monitor.execute('memslot_add 40 4G 2M -l');
    machine.physical.write(GIB4 + 3 * PAGE, Uint8Array.of(1));
    const dirty = 'memslot 40: 1 of 512 pages dirty\n  0x100003000-0x100004000 1\n';
    expect(await monitor.execute('dirty_log 40')).toBe(dirty);
    expect(await monitor.execute('dirty_log 40 -c')).toBe(dirty);
    expect(await monitor.execute('dirty_log 40')).toBe('memslot 40: 0 of 512 pages dirty\n');
    expect(await monitor.execute('dirty_log_mode some')).toBe(
      "Error: dirty log mode 'some' does not exist: use normal, manual or initially-set\n",
    );
  });

  it('initially-set: a new log starts full', async () => {
    const { monitor } = await testMonitor();
    await monitor.execute('dirty_log_mode initially-set');
    expect(await monitor.execute('dirty_log_mode')).toBe('initially-set\n');
    await monitor.execute('memslot_add 40 4G 2M -l');
    expect(await monitor.execute('dirty_log 40 -c')).toBe('memslot 40: 512 of 512 pages dirty\n  0x100000000-0x100200000 512\n');
    expect(await monitor.execute('dirty_log 40')).toBe('memslot 40: 0 of 512 pages dirty\n');
  });
});

describe('dirty_ring', () => {
  it('is switched on, filled, harvested and reset', async () => {
    const { monitor, machine } = await testMonitor();
    expect(await monitor.execute('dirty_ring')).toBe('dirty rings are off\n');
    expect(await monitor.execute('dirty_ring harvest')).toBe('Error: EINVAL: dirty rings are off\n');
    expect(await monitor.execute('dirty_ring enable 300')).toBe(
      'Error: EINVAL: a dirty ring of 300 entries: it has 256 to 65536, a power of two\n',
    );
    expect(await monitor.execute('dirty_ring enable 256')).toBe('');
    expect(await monitor.execute('dirty_ring enable')).toBe('Error: EINVAL: dirty rings are on already, with 256 entries\n');
    await monitor.execute('memslot_add 40 4G 2M -l');
    for (const page of [7, 3, 4]) machine.physical.write(GIB4 + page * PAGE, Uint8Array.of(1));
    expect(await monitor.execute('dirty_log 40')).toBe(
      'Error: ENXIO: pages are recorded in dirty rings, there is no bitmap: see dirty_ring\n',
    );
    expect(await monitor.execute('dirty_ring status')).toBe(
      'vcpu  entries  used  waiting  lost  state\n0     256      3     3        0     ok\n',
    );
    expect(await monitor.execute('dirty_ring harvest 1')).toBe('memslot 40: 1 of 512 pages dirty\n  0x100007000-0x100008000 1\n');
    expect(await monitor.execute('dirty_ring harvest')).toBe('memslot 40: 2 of 512 pages dirty\n  0x100003000-0x100005000 2\n');
    expect(await monitor.execute('dirty_ring harvest')).toBe('');
    await monitor.execute('memslot_del 40');
    expect(await monitor.execute('dirty_ring reset')).toBe('3 entries freed\n');
    expect(await monitor.execute('dirty_ring reset 3')).toBe('Error: dirty_ring reset takes no number\n');
    expect(await monitor.execute('dirty_ring empty')).toBe(
      "Error: dirty_ring 'empty' does not exist: use status, enable, harvest or reset\n",
    );
  });

  it('reports entries whose slot was deleted', async () => {
    const { monitor, machine } = await testMonitor();
    await monitor.execute('dirty_ring enable 256');
    await monitor.execute('memslot_add 40 4G 2M -l');
    machine.physical.write(GIB4, new Uint8Array(2 * PAGE));
    await monitor.execute('memslot_del 40');
    expect(await monitor.execute('dirty_ring harvest')).toBe('memslot 40: gone, 2 entries\n');
  });

  it('is refused once the guest has run', async () => {
    const { monitor, machine } = await testMonitor();
    machine.run.cont();
    machine.run.advance(1);
    expect(await monitor.execute('dirty_ring enable')).toMatch(/^Error: EINVAL: dirty rings must be on before the guest first runs/);
  });

  it('says when a vCPU waits', () => {
    expect(noticeOf({ type: 'dirty-ring-full', vcpu: 1 })).toBe(
      'vCPU 1 waits: its dirty ring is full. "dirty_ring harvest", then "dirty_ring reset" resumes it.',
    );
  });
});
