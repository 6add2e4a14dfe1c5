/** The lab's own breakpoints on memlab: the same stop at the same instruction in either tier, and a guest that does not notice. */
import { describe, expect, it } from 'vitest';
import { Guest, MIB, rootFile } from '../../../test/guests/harness';
import { image, SIZE } from '../../../test/guests/virtio-mem-driver';
import { Monitor } from '../../monitor/index';
import { testEnv } from '../../monitor/testing';
import { breakpointsOf } from './index';

const kernel = rootFile('guests/memlab/memlab.elf');
const DIMM = 0x8000000;

async function booted(accel: 'jit' | 'interp', smp = 1): Promise<{ guest: Guest; monitor: Monitor }> {
  const guest = await Guest.boot({ guest: { name: 'memlab', kernel }, accel, smp });
  guest.until('lab> ');
  guest.machine.backends.add('mem1', 64 * MIB);
  guest.machine.dimms.plug({ id: 'dimm1', memdev: 'mem1' });
  guest.until('memory hotplug: DIMM slot');
  return { guest, monitor: new Monitor(guest.machine, testEnv()) };
}

/** Runs until the machine stops or the given number of instructions has passed; returns its position. */
function run(guest: Guest, most = 3_000_000): string {
  const { machine } = guest;
  const events: string[] = [];
  const undo = machine.subscribe((event) => event.type === 'watch-stop' && events.push(event.text));
  machine.run.advance(most);
  undo();
  const { rip } = machine.inspect.registers(breakpointsOf(machine).stop?.vcpu ?? 0);
  return events.length === 0 ? 'no stop' : `${events.join('; ')} at ${machine.run.instructions}, rip 0x${rip.toString(16)}`;
}

/** The result of `act`, which must be equal in both tiers. */
async function both<T>(act: (of: { guest: Guest; monitor: Monitor }) => Promise<T>, smp = 1): Promise<T> {
  const interpreted = await act(await booted('interp', smp));
  expect(await act(await booted('jit', smp))).toEqual(interpreted);
  return interpreted;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

describe('a breakpoint on memory', () => {
  it('stops after the first write to a slot, by gpa, page and gva', async () => {
    const stops = await both(async ({ guest, monitor }) => {
      const slot = guest.machine.memory.memslotAt(DIMM / 4096)!.slot;
      const seen: string[] = [];
      for (const place of [
        `slot=${slot},access=w`,
        `gpa=${hex(DIMM + 16)},len=8,access=w`,
        `page=${hex(DIMM + 20)},access=w`,
        `gva=${hex(DIMM + 16)},access=w`,
      ]) {
        expect(await monitor.execute(`breakpoint_add ${place},once=on`)).not.toContain('Error');
        guest.type(`poke ${hex(DIMM + 16)} 0x55\r`);
        seen.push(run(guest));
        guest.until('lab> ');
      }
      return seen;
    });
    for (const stop of stops) expect(stop).toMatch(/^Breakpoint \d, vCPU 0: write of 8 bytes at gva 0x8000010, gpa 0x8000010 at \d+, rip/);
  });

  it('leaves the guest as it would be without it: same digest at the same count', async () => {
    const digest = async (lines: readonly string[], accel: 'jit' | 'interp'): Promise<string> => {
      const { guest, monitor } = await booted(accel);
      for (const line of lines) expect(await monitor.execute(line)).not.toContain('Error');
      guest.type(`fill ${hex(DIMM)} 0x4000 0x77\r`);
      // Continue after each stop; the guest ends asleep.
      for (let before = -1; before !== guest.machine.run.instructions; ) {
        before = guest.machine.run.instructions;
        guest.machine.run.cont();
        guest.machine.run.advance(2_000_000);
      }
      guest.machine.run.stop();
      return guest.machine.digest();
    };
    const plain = await digest([], 'interp');
    const watched = [
      `breakpoint_add gpa=${hex(DIMM + 0x2000)},len=64,access=rw`,
      'breakpoint_add gva=0x100000,len=0x4000,access=rw,skip=100',
      'breakpoint_add port=0x3f8,access=rw',
    ];
    expect(await digest(watched, 'interp')).toBe(plain);
    expect(await digest(watched, 'jit')).toBe(plain);
  });

  it('stops at the first access after each commit that changes the slot, and not before', async () => {
    const stops = await both(async ({ guest, monitor }) => {
      const { slot } = guest.machine.memory.memslotAt(DIMM / 4096)!;
      await monitor.execute(`breakpoint_add slot=${slot},access=r,after=commit`);
      const seen: string[] = [];
      const peeks = (gpa: number): void => {
        guest.type(`peek ${hex(gpa)}\r`);
        seen.push(run(guest));
        guest.machine.run.cont();
        guest.machine.run.advance(2_000_000);
      };
      peeks(DIMM);
      for (const gpa of [0x20000000, DIMM]) {
        expect(await monitor.execute(`memslot_move ${slot} ${hex(gpa)}`)).not.toContain('Error');
        peeks(gpa);
        peeks(gpa);
      }
      return seen;
    });
    expect(stops.map((stop) => /read of 8 bytes at gva (0x\w+)|no stop/.exec(stop)?.[1])).toEqual([
      undefined,
      '0x20000000',
      undefined,
      hex(DIMM),
      undefined,
    ]);
  });

  it('stops after a commit that the guest itself causes: at the first write to memory that it plugged, in the hole that it left', async () => {
    const plugged = async (accel: 'jit' | 'interp'): Promise<string[]> => {
      const guest = await Guest.boot({
        guest: { name: 'driver', kernel: image },
        accel,
        objects: [{ id: 'vmem0', size: SIZE }],
        virtio: [{ driver: 'virtio-mem', id: 'vm0', memdev: 'vmem0', requested: SIZE }],
      });
      const { machine } = guest;
      const monitor = new Monitor(machine, testEnv());
      const { addr } = machine.virtio.mems()[0]!;
      const slot = () => machine.memory.memslotAt(addr / 4096);
      for (let n = 0; n < 1000 && !slot(); n++) machine.run.advance(100);
      await monitor.execute(`breakpoint_add slot=${slot()!.slot},access=w,after=commit`);
      const seen: string[] = [];
      for (let stops = 0; stops < 3; stops++) {
        const generation = machine.memory.generation(0);
        seen.push(run(guest, 1_000_000));
        expect(machine.memory.generation(0)).toBeGreaterThan(generation);
        machine.run.cont();
      }
      return seen;
    };
    const interpreted = await plugged('interp');
    expect(await plugged('jit')).toEqual(interpreted);
    for (const stop of interpreted) expect(stop).toMatch(/^Breakpoint 1, vCPU 0: write of \d bytes? at gva/);
    const [hole] = await both(async ({ guest, monitor }) => {
      await monitor.execute('breakpoint_add hole,access=r');
      guest.machine.dimms.unplug('dimm1');
      guest.until('given back');
      guest.type(`peek ${hex(DIMM)}\r`);
      return [run(guest)];
    });
    expect(hole).toMatch(/^Breakpoint 1, vCPU 0: read of 4 bytes in the hole at gpa 0x8000000 at/);
  });

  it('follows the slot after a move', async () => {
    const { guest, monitor } = await booted('jit');
    const slot = guest.machine.memory.memslotAt(DIMM / 4096)!.slot;
    await monitor.execute(`breakpoint_add slot=${slot},access=rw`);
    expect(await monitor.execute(`memslot_move ${slot} 0x20000000`)).not.toContain('Error');
    guest.type(`peek ${hex(0x20000000)}\r`);
    expect(run(guest)).toContain('gpa 0x20000000');
  });
});

describe('other breakpoints', () => {
  it('stop at a port, a vector, an MSR, an instruction, memory itself and a hole', async () => {
    const stops = await both(async ({ guest, monitor }) => {
      const seen: string[] = [];
      for (const [line, typed] of [
        ['port=0x3f8,access=w', '\r'],
        ['vector=14', `peek ${hex(0x7000000000)}\r`],
        ['msr=0xc0000080,access=r', 'regs\r'],
        ['gva=command_regs', 'regs\r'],
        [`hva=${hex(guest.machine.memory.memslotAt(DIMM / 4096)!.userspaceAddr)},len=8`, `poke ${hex(DIMM)} 3\r`],
        ['hole', `peek ${hex(0x40000000)}\r`],
      ]) {
        expect(await monitor.execute(`breakpoint_add ${line},once=on`)).not.toContain('Error');
        guest.type(typed!);
        seen.push(run(guest));
        guest.machine.run.advance(2_000_000);
      }
      return seen;
    });
    expect(stops[0]).toContain('write of port 0x3f8');
    expect(stops[2]).toContain('read of MSR 0xc0000080');
    expect(stops[3]).toContain('execution at gva 0x');
    expect(stops[4]).toContain('write of 8 bytes at gva 0x8000000, gpa 0x8000000');
    expect(stops[5]).toContain('in the hole at gpa 0x40000000');
  });

  it('count their hits, respect a condition and a count, and can be deleted', async () => {
    const { guest, monitor } = await booted('jit');
    await monitor.execute(`breakpoint_add gpa=${hex(DIMM)},len=8,access=w,if=$rcx!=$rcx`);
    await monitor.execute(`breakpoint_add gpa=${hex(DIMM)},len=8,access=w,skip=1`);
    guest.type(`poke ${hex(DIMM)} 1\r`);
    expect(run(guest)).toBe('no stop');
    guest.type(`poke ${hex(DIMM)} 2\r`);
    expect(run(guest)).toContain('Breakpoint 2');
    const list = await monitor.execute('info breakpoints');
    expect(list).toMatch(/^1 .* 0 hits {2}w, if \$rcx!=\$rcx$/m);
    expect(list).toMatch(/^2 .* 2 hits {2}w, after 1 hits$/m);
    expect(list).toContain('stopped at: Breakpoint 2');
    expect(await monitor.execute('breakpoint_del 7')).toContain("breakpoint '7' does not exist");
    expect(await monitor.execute('breakpoint_del 2')).toBe('');
    expect(await monitor.execute('breakpoint_del all')).toBe('');
    expect(await monitor.execute('info breakpoints')).toContain('no breakpoints\n');
  });

  it('refuse invalid values, and then change nothing', async () => {
    const { guest, monitor } = await booted('jit');
    for (const [line, why] of [
      ['gva=', 'unexpected end'],
      ['slot=77', 'memslot 77 does not exist'],
      ['gpa=0,gva=0', 'give a place'],
      ['0x1000', 'give a place'],
      ['0x1000,access=w', 'give a place'],
      ['port=0x10000', 'at most 0xffff'],
      ['port=0x60,access=x', 'nothing runs'],
      ['gpa=0,access=q', 'use r, w, x'],
      ['gpa=0,len=0', 'len=0'],
      ['gpa=0,if=$rax==', 'is not a condition'],
      ['gpa=0,vcpu=9', 'vcpu=9'],
      ['gpa=0,size=4', "Invalid parameter 'size'"],
    ])
      expect(await monitor.execute(`breakpoint_add ${line}`)).toContain(why);
    for (let i = 0; i < 64; i++)
      breakpointsOf(guest.machine).add({
        place: { kind: 'gva', first: BigInt(i), length: 1 },
        access: { execute: true, read: false, write: false },
      });
    expect(await monitor.execute('breakpoint_add gva=0')).toContain('at most 64');
    expect(breakpointsOf(guest.machine).list()).toHaveLength(64);
  });
});
