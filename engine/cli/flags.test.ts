import { describe, expect, it } from 'vitest';
import { FlagError } from './chardev-flag';
import { type LabFlags, parseFlags } from './flags';

const words = (line: string): string[] => (line === '' ? [] : line.split(' '));
const parse = (line: string): LabFlags => parseFlags(words(line)) as LabFlags;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;

describe('flags', () => {
  it('takes memory and devices for the virtio-mmio bus, by any of QEMU’s names', () => {
    const flags = parse(
      '-m 256M,maxmem=4G -object memory-backend-ram,id=vmem0,size=1G -device virtio-mem-device,id=vm0,memdev=vmem0,requested-size=128M ' +
        '-device virtio-balloon-device,id=bal0 -device virtio-mem-pci,id=vm1,memdev=/objects/vmem1,memaddr=0x100000000,node=0',
    );
    expect(flags).toMatchObject({
      objects: [{ id: 'vmem0', size: 2 ** 30 }],
      virtio: [
        { driver: 'virtio-mem', id: 'vm0', memdev: 'vmem0', requested: 2 ** 27 },
        { driver: 'virtio-balloon-device', id: 'bal0' },
        { driver: 'virtio-mem', id: 'vm1', memdev: 'vmem1', addr: 2 ** 32, node: 0 },
      ],
    });
  });

  it('without any flag the monitor has the terminal', () => {
    expect(parse('')).toEqual({
      smp: 1,
      accel: 'jit',
      paused: false,
      monitors: [{ kind: 'stdio' }],
      qmps: [],
      serial: { kind: 'null' },
    });
  });

  it('accepts all flags at once', () => {
    const flags = parseFlags([
      ...words('-m 256M,slots=8,maxmem=4G -smp 2 -kernel vmlinuz -initrd init.cpio -serial unix:/tmp/s,server=on,wait=off -S'),
      ...words(
        '-monitor stdio -qmp unix:/tmp/q,server=on -debugcon file:/tmp/d -device isa-debug-exit,iobase=0xf4,iosize=0x04 -accel interp,dirty-ring-size=512,memslot-index=rbtree',
      ),
      '-append',
      'console=ttyS0 quiet',
    ]);
    expect(flags).toEqual({
      memory: { ram: 256 * MIB, slots: 8, maxmem: 4 * GIB },
      smp: 2,
      kernel: 'vmlinuz',
      initrd: 'init.cpio',
      append: 'console=ttyS0 quiet',
      serial: { kind: 'unix', path: '/tmp/s', wait: false },
      monitors: [{ kind: 'stdio' }],
      qmps: [{ kind: 'unix', path: '/tmp/q', wait: true }],
      debugcon: { kind: 'file', path: '/tmp/d' },
      debugExit: { port: 0xf4, size: 4 },
      accel: 'interp',
      dirtyRing: 512,
      index: 'rbtree',
      paused: true,
    });
  });

  it('the terminal is the monitor only when nothing else uses it', () => {
    expect(parse('-serial stdio').monitors).toEqual([]);
    expect(parse('-qmp stdio').monitors).toEqual([]);
    expect(parse('-monitor null').monitors).toEqual([{ kind: 'null' }]);
    expect(parse('-serial file:/tmp/x').monitors).toEqual([{ kind: 'stdio' }]);
  });

  it.each([
    ['512', 512 * MIB, 0, 512 * MIB],
    ['1.5G', 1.5 * GIB, 0, 1.5 * GIB],
    ['size=64M', 64 * MIB, 0, 64 * MIB],
    ['96M,slots=0x4,maxmem=1T', 96 * MIB, 4, TIB],
    ['96M,maxmem=1G,slots=32', 96 * MIB, 32, GIB],
    ['64M,maxmem=64M', 64 * MIB, 0, 64 * MIB],
    ['2M', 2 * MIB, 0, 2 * MIB],
  ])('-m %s', (text, ram, slots, maxmem) => {
    expect(parse(`-m ${text}`).memory).toEqual({ ram, slots, maxmem });
  });

  it('accepts double dashes, doubled commas in paths and the last of repeated flags', () => {
    expect(parse('--smp 2').smp).toBe(2);
    expect(parse('-serial unix:/tmp/a,,b,server=on,wait=off').serial).toEqual({ kind: 'unix', path: '/tmp/a,b', wait: false });
    expect(parse('-smp 2 -smp cpus=4').smp).toBe(4);
    expect(parse('-monitor null -monitor unix:/tmp/m,server=on,wait=off').monitors).toHaveLength(2);
  });

  it.each(['-h', '-help', '--help', '-smp 2 -help'])('%s asks for help', (line) => {
    expect(parseFlags(words(line))).toBe('help');
  });
});

describe('wrong flags', () => {
  it.each([
    ['-bogus', '-bogus: invalid option; -help lists the options'],
    ['kernel.bin', 'kernel.bin: not an option; a kernel is named with -kernel FILE'],
    ['-kernel', '-kernel: requires an argument'],
    ['-m', '-m: requires an argument'],
    ['-m foo', "-m foo: Parameter 'size' expects a number with an optional suffix k, M, G or T (without one: MiB), not 'foo'"],
    ['-m 256X', "not '256X'"],
    ['-m -1', "not '-1'"],
    ['-m 1', '-m 1: 1M of memory is too little; the minimum is 2M'],
    ['-m 0', 'is too little'],
    ['-m 2049k', '-m 2049k: memory size must be a multiple of 1M, and 2098176 is not; 2M is'],
    ['-m 256M,foo=1', "-m 256M,foo=1: Invalid parameter 'foo'; -m takes size, slots and maxmem"],
    ['-m 256M,8', "Invalid parameter '8'"],
    ['-m 256M,slots=x,maxmem=1G', "Parameter 'slots' expects a number, not 'x'"],
    ['-m 256M,slots=33,maxmem=1G', 'unsupported amount of memory slots: 33; 0 to 32 DIMM slots are possible'],
    ['-m 256M,slots=-1,maxmem=1G', 'unsupported amount of memory slots: -1'],
    ['-m 256M,slots=2', 'slots specified but no maxmem; add maxmem=SIZE'],
    ['-m 256M,slots=2,maxmem=x', "Parameter 'maxmem' expects a number with an optional suffix k, M, G or T, not 'x'"],
    ['-m 256M,slots=2,maxmem=100M', 'maximum memory size (100M) must be at least the initial memory size (256M)'],
    ['-m 256M,slots=2,maxmem=256M', 'memory slots were specified but maximum memory size (256M) is the initial memory size'],
    ['-smp 0', '-smp 0: Invalid SMP CPUs 0; 1 to 8 are possible'],
    ['-smp 9', 'Invalid SMP CPUs 9'],
    ['-smp two', "-smp two: Parameter 'cpus' expects a number"],
    ['-smp 2,sockets=1', "Parameter 'sockets' is unexpected; -smp takes the number of CPUs"],
    ['-accel kvm', '-accel kvm: invalid accelerator kvm; use jit or interp'],
    ['-accel jit,thread=single', "Property 'jit-accel.thread' not found; it has dirty-ring-size and memslot-index"],
    [
      '-accel interp,thread=multi',
      "-accel interp,thread=multi: Property 'interp-accel.thread' not found; it has dirty-ring-size and memslot-index",
    ],
    ['-accel interp,memslot-index=hash', "memslot-index 'hash' does not exist; use array, rbtree, btree"],
    ['-accel interp,dirty-ring-size=300', "dirty-ring-size '300' is not a power of two from 256 to 65536; 0 disables rings"],
    ['-accel interp,dirty-ring-size', "dirty-ring-size '' is not a power of two"],
    ['-device nope', "-device nope: 'nope' is not a valid device model name here; isa-debug-exit is"],
    ['-device pc-dimm,id=d', "'pc-dimm' is not a valid device model name here"],
    ['-device virtio-mem-device,memdev=m', "Parameter 'id' is missing"],
    ['-device virtio-mem-device,id=v', "'memdev' property must be set"],
    ['-device virtio-mem-device,id=v,memdev=m,requested-size=lots', "Parameter 'requested-size' expects size"],
    ['-device virtio-mem-device,id=v,memdev=m,block-size=1M', "Property 'virtio-mem-device.block-size' not found; it has id, memdev"],
    ['-device virtio-balloon-device,id=0', "Parameter 'id' expects an identifier, not '0'"],
    ['-object memory-backend-ram,id=m', "-object memory-backend-ram,id=m: Parameter 'size' is missing"],
    ['-object memory-backend-ram,size=1M', "Parameter 'id' is missing"],
    ['-object memory-backend-ram,id=m,size=big', "Parameter 'size' expects a number"],
    ['-object memory-backend-file,id=m,size=1M', "Parameter 'qom-type' does not accept value 'memory-backend-file'"],
    ['-device isa-debug-exit,foo=1', "Property 'isa-debug-exit.foo' not found; it has iobase and iosize"],
    ['-device isa-debug-exit,iobase=zz', "Parameter 'iobase' expects a number, not 'zz'"],
    ['-device isa-debug-exit,iobase', "Parameter 'iobase' expects a number, not ''"],
    ['-device isa-debug-exit,iobase=0x10000', 'iobase 0x10000 is not an I/O port; ports are 0 to 0xffff'],
    ['-device isa-debug-exit,iosize=0', 'iosize 0 is out of range; 1 to 0x100 ports are possible'],
    ['-device isa-debug-exit,iobase=0xffff', 'passes the last I/O port 0xffff'],
    ['-device isa-debug-exit -device isa-debug-exit', 'this machine takes one isa-debug-exit'],
    ['-serial foo', "-serial foo: 'foo' is not a valid char driver; give stdio, null, file:PATH or unix:PATH,server=on,wait=off"],
    ['-serial null,x=1', "'null,x=1' is not a valid char driver"],
    ['-serial mon:stdio', "'mon:stdio' is not a valid char driver"],
    ['-serial file:', 'the path is missing'],
    ['-serial unix:,server=on', 'the path is missing'],
    // "ä" takes two bytes.
    [`-qmp unix:/tmp/${'ä'.repeat(52)},server=on`, 'is too long: it has 109 bytes, at most 107 are possible'],
    ['-serial unix:/tmp/x', 'only listening sockets are supported; add server=on'],
    ['-serial unix:/tmp/x,server=maybe', "Parameter 'server' expects 'on' or 'off'"],
    ['-serial unix:/tmp/x,server', "Parameter 'server' expects 'on' or 'off'"],
    ['-serial unix:/tmp/x,bogus=1', "Invalid parameter 'bogus'; a socket takes server=on and wait=on|off"],
    ['-serial null -serial null', 'this machine has one serial port; give -serial once'],
    ['-debugcon null -debugcon null', 'this machine has one debug console; give -debugcon once'],
    ['-monitor file:/tmp/x', 'a file provides no input; give stdio, null or unix:PATH,server=on,wait=off'],
    ['-qmp foo', "'foo' is not a valid char driver"],
    ['-monitor stdio -serial stdio', 'cannot use stdio by multiple character devices'],
    ['-monitor stdio -monitor stdio', 'cannot use stdio by multiple character devices'],
    ['-serial file:/tmp/x -debugcon file:/tmp/x', '/tmp/x: two character devices cannot share one path'],
    ['-initrd x', '-initrd x: only allowed with the -kernel option'],
    ['-guest memlab -kernel x', '-guest memlab: give either -guest or -kernel'],
    ['-loadvm one', '-loadvm one: give -snapshots DIR'],
    ['-loadvm', '-loadvm: requires an argument'],
    ['-record f -qmp stdio', '-record f: a replay cannot contain QMP commands'],
    ['-record f -monitor null -monitor null', '-record f: a replay has one monitor'],
    ['-record f -accel interp,dirty-ring-size=256', '-record f: a replay cannot contain dirty rings'],
    ['-record f -device isa-debug-exit', '-record f: a replay cannot contain isa-debug-exit'],
    ['-replay f -m 64M', '-replay f: it says what the machine is and what reaches it; -m cannot be given'],
    ['-replay f -monitor stdio', '-monitor cannot be given'],
    ['-replay f -record g', '-record cannot be given'],
    ['-replay f -guest memlab', '-guest cannot be given'],
    ['-replay f -S', '-S cannot be given'],
    ['-replay f -accel interp,dirty-ring-size=256', '-accel with dirty-ring-size cannot be given'],
    ['-replay f -serial unix:/tmp/x,server=on', 'what the guest prints goes to -serial stdio or -serial file:PATH'],
    ['-replay', '-replay: requires an argument'],
  ])('%s', (line, message) => {
    let caught: unknown;
    try {
      parseFlags(words(line));
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(FlagError);
    expect((caught as Error).message).toContain(message);
    expect((caught as Error).message).not.toContain('\n');
  });
});

describe('-gdb and -s', () => {
  it('listen at the given address, without a host on the loopback interface', () => {
    const usual = { kind: 'tcp', host: '127.0.0.1', port: 1234, wait: false };
    expect(parse('-s').gdb).toEqual(usual);
    expect(parse('-gdb tcp::1234').gdb).toEqual(usual);
    expect(parse('-gdb tcp:0.0.0.0:5,server=on,wait=on').gdb).toEqual({ kind: 'tcp', host: '0.0.0.0', port: 5, wait: true });
    expect(parse('-gdb tcp:[::1]:1234').gdb).toEqual({ ...usual, host: '::1' });
    expect(parse('-gdb unix:/tmp/g,server=on,wait=off').gdb).toEqual({ kind: 'unix', path: '/tmp/g', wait: false });
  });

  it.each([
    ['-gdb bogus', "'bogus' is not a valid char driver; give tcp::PORT, tcp:HOST:PORT, unix:PATH,server=on,wait=off or stdio"],
    ['-gdb tcp:1234', "'tcp:1234' is not a valid char driver; give tcp::PORT, tcp:HOST:PORT, unix:PATH,server=on,wait=off or stdio"],
    ['-gdb tcp::99999', "port '99999' is not a number from 0 to 65535"],
    ['-gdb tcp::1,fast=on', "Invalid parameter 'fast'; a socket takes server=on, wait=on|off and nodelay=on"],
    ['-gdb tcp::1,server=off', 'only listening sockets are supported; remove server=off'],
    ['-gdb unix:,server=on', 'the path is missing; give tcp::PORT, tcp:HOST:PORT, unix:PATH,server=on,wait=off or stdio'],
    ['-gdb unix:/tmp/g', 'only listening sockets are supported; add server=on'],
    ['-gdb unix:/tmp/g,wait=maybe', "Parameter 'wait' expects 'on' or 'off'"],
  ])('%s names what is accepted', (line, reason) => {
    expect(() => parse(line)).toThrow(new FlagError(`${line}: ${reason}`));
  });

  it('are for one gdb', () => {
    expect(() => parse('-s -gdb tcp::1235')).toThrow('-gdb tcp::1235: one gdb is served; give -gdb or -s once');
    expect(() => parse('-gdb tcp::1235 -s')).toThrow('-s: one gdb is served; give -gdb or -s once');
  });
});
