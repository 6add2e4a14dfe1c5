import { describe, expect, it } from 'vitest';
import { DEFAULT_MEMORY, formatAccel, formatDevices, formatMemory, parseAppend, parseMemory, parseSmp } from './machine-flags';

const MiB = 2 ** 20;

describe('-m', () => {
  it('reads sizes as QEMU does: a bare number counts MiB', () => {
    expect(parseMemory('24')).toEqual({ ram: 24 * MiB, slots: 0, maxmem: 24 * MiB });
    expect(parseMemory('1G,slots=4,maxmem=8G')).toEqual({ ram: 1024 * MiB, slots: 4, maxmem: 8192 * MiB });
  });

  it('writes back what it read', () => {
    for (const text of [DEFAULT_MEMORY, '24M', '1G,slots=4,maxmem=8G']) expect(formatMemory(parseMemory(text))).toBe(text);
  });

  it.each([
    ['', /not a size/],
    ['1K', /not a size of whole MiB/],
    ['64X', /64X/],
    ['64M,slots=33,maxmem=1G', /slots=33/],
    ['64M,slots=2,maxmem=32M', /maxmem=32M/],
    ['64M,maxmem=1G', /slots=/],
    ['64M,sockets=2', /sockets=2/],
  ])('refuses "%s" and names the value', (text, reason) => {
    expect(() => parseMemory(text)).toThrow(reason);
  });
});

describe('-smp', () => {
  it('is a number of vCPUs', () => {
    expect(parseSmp('2')).toBe(2);
    expect(parseSmp(' cpus=8 ')).toBe(8);
  });

  it.each([
    ['', /-smp .*not a number/],
    ['two', /two/],
    ['0', /-smp 0: .* 1 to 8/],
    ['9', /-smp 9: .* 1 to 8/],
  ])('refuses "%s" and names what would do', (text, reason) => {
    expect(() => parseSmp(text)).toThrow(reason);
  });
});

describe('-accel', () => {
  it('always includes the index, and a ring if there is one', () => {
    expect(formatAccel({})).toBe('-accel jit,memslot-index=btree');
    expect(formatAccel({ accel: 'interp' })).toBe('-accel interp,memslot-index=btree');
    expect(formatAccel({ index: 'array', dirtyRing: 4096 })).toBe('-accel jit,memslot-index=array,dirty-ring-size=4096');
  });
});

describe('-object and -device', () => {
  it('are written as lab takes them', () => {
    expect(formatDevices({})).toBe('');
    const virtio = [
      { driver: 'virtio-mem' as const, id: 'vm0', memdev: 'vmem0', requested: 128 * MiB, addr: 2 ** 32 },
      { driver: 'virtio-balloon-device' as const, id: 'balloon0' },
      { driver: 'virtio-balloon-device' as const },
    ];
    expect(formatDevices({ objects: [{ id: 'vmem0', size: 1024 * MiB }], virtio })).toBe(
      '-object memory-backend-ram,id=vmem0,size=1G -device virtio-mem,id=vm0,memdev=vmem0,requested-size=128M,memaddr=0x100000000 ' +
        '-device virtio-balloon-device,id=balloon0 -device virtio-balloon-device',
    );
  });
});

describe('-append', () => {
  it('takes what a kernel takes, without blanks at its ends', () => {
    expect(parseAppend(' console=ttyS0 quiet ')).toBe('console=ttyS0 quiet');
    expect(parseAppend('')).toBe('');
  });

  it.each([
    ['a\nb', /character 2 \(U\+000a\)/],
    ['tést', /character 2 \(U\+00e9\)/],
    ['x'.repeat(2048), /2048 characters/],
  ])('refuses %j and names what is at fault', (text, reason) => {
    expect(() => parseAppend(text)).toThrow(reason);
  });
});
