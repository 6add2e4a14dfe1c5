import { describe, expect, it } from 'vitest';
import { testMonitor } from './testing';

describe('completion', () => {
  it('completes as QEMU does', async () => {
    const { monitor } = await testMonitor();
    await monitor.execute('object_add memory-backend-ram,id=m1,size=128M');
    await monitor.execute('object_add memory-backend-ram,id=m2,size=128M');
    await monitor.execute('device_add pc-dimm,id=d1,memdev=m1');
    expect(monitor.complete('dev')).toEqual(['device_add', 'device_del', 'device_move']);
    expect(monitor.complete('info mem')).toEqual(['mem', 'memdev', 'memory-devices', 'memory_size_summary', 'memslots']);
    expect(monitor.complete('info mt')).toEqual(['mtree']);
    expect(monitor.complete('help inf')).toEqual(['info']);
    expect(monitor.complete('help info mt')).toEqual(['mtree']);
    expect(monitor.complete('device_add pc-d')).toEqual(['pc-dimm']);
    expect(monitor.complete('device_add pc-dimm,id=d2,memdev=')).toEqual(['pc-dimm,id=d2,memdev=m2']);
    expect(monitor.complete('device_del ')).toEqual(['d1']);
    expect(monitor.complete('object_del m')).toEqual(['m1', 'm2']);
    expect(monitor.complete('object_add memory-')).toEqual(['memory-backend-ram']);
    expect(monitor.complete('stop')).toEqual(['stop']);
    expect(monitor.complete('zzz')).toEqual([]);
    expect(monitor.complete('zzz yyy')).toEqual([]);
  });

  it('completes slot ids, flags, registers and saved layouts', async () => {
    const { monitor } = await testMonitor();
    expect(monitor.complete('memslot_move ')).toContain('3');
    expect(monitor.complete('memslot_move 3 ')).toEqual([]);
    expect(monitor.complete('memslot_flags 3 -')).toEqual(['-l', '-r']);
    expect(monitor.complete('changeset_commit -')).toEqual(['-l', '-s', '-w']);
    expect(monitor.complete('x /4xg $ri')).toEqual(['$rip']);
    await monitor.execute('layout_save mine');
    expect(monitor.complete('layout_load m')).toEqual(['mine']);
    await monitor.execute('layout_del mine');
    expect(monitor.complete('layout_load m')).toEqual([]);
  });
});
