/** undo, redo and going to an entry of the history when the guest's devices have changed the layout too. */
import { describe, expect, it } from 'vitest';
import type { Machine } from '../../engine/machine/index';
import { CommitLog, Monitor } from '../../engine/monitor/index';
import { layoutFormat } from '../../engine/snapshot/index';
import { Guest, MIB, rootFile } from './harness';
import { image, SIZE } from './virtio-mem-driver';

const ADDR = 0x10000000;
const ELSEWHERE = 0x20000000;

interface Lab {
  guest: Guest;
  machine: Machine;
  log: CommitLog;
  say(...lines: string[]): Promise<string[]>;
}

function labOf(guest: Guest): Lab {
  const { machine } = guest;
  const log = new CommitLog(machine, () => 0);
  const layouts = { get: async () => undefined, set: async () => {}, delete: async () => {}, keys: async () => [] };
  const monitor = new Monitor(machine, { layouts, format: layoutFormat, linkBase: '', quit: () => {}, commits: log });
  return {
    guest,
    machine,
    log,
    async say(...lines) {
      const answers: string[] = [];
      for (const line of lines) answers.push(await monitor.execute(line));
      return answers;
    },
  };
}

/** memlab with one DIMM, which it has found. */
async function withDimm(): Promise<Lab> {
  const guest = await Guest.boot({ guest: { name: 'memlab', kernel: rootFile('guests/memlab/memlab.elf') }, ram: 16 * MIB, slots: 4 });
  guest.until('lab> ', 5e6);
  const lab = labOf(guest);
  await lab.say('object_add memory-backend-ram,id=m,size=8M', `device_add pc-dimm,id=d,memdev=m,addr=${ADDR}`);
  guest.until('8 MiB\r\nlab> ');
  return lab;
}

async function unplugged(lab: Lab): Promise<void> {
  lab.machine.dimms.unplug('d');
  lab.machine.run.advance(5e6);
  expect(lab.machine.dimms.list()).toEqual([]);
}

const at = ({ machine }: Lab, gpa: number) => machine.memory.memslotAt(gpa / 4096)?.slot;
const who = ({ log }: Lab) => log.entries().map(({ title, by }) => [title, by]);

describe('a DIMM', () => {
  it('that a person plugged: undo removes its memslot and says what is left, redo brings it back', async () => {
    const lab = await withDimm();
    expect(who(lab)).toEqual([
      ['power on', undefined],
      ['+ d', undefined],
    ]);
    expect(await lab.say('undo')).toEqual([
      expect.stringMatching(
        /^undid "\+ d": generation .*\nd stays plugged in without this memory: redo brings it back, device_del d takes it out\n$/,
      ),
    ]);
    expect([at(lab, ADDR), lab.machine.dimms.list().length]).toEqual([undefined, 1]);
    expect(await lab.say('redo')).toEqual([expect.stringMatching(/^redid "\+ d": [^\n]*\n$/)]);
    expect(at(lab, ADDR)).toBe(5);
  });

  it('that the guest gave back does not return without its device, by undo or by going to a commit', async () => {
    const lab = await withDimm();
    await lab.say('memslot_add 40 4G 2M');
    await unplugged(lab);
    expect(who(lab).at(-1)).toEqual(['- d', 'd']);
    const again = "the guest gave 'd' back: device_add pc-dimm,id=d,memdev=m plugs it in again";
    expect(await lab.say('undo', 'undo 2')).toEqual([`Error: cannot undo "- d": ${again}\n`, `Error: cannot undo 2 commits: ${again}\n`]);
    expect(lab.log.goTo(1)).toBe(`cannot undo 2 commits: ${again}`);
    expect(at(lab, ADDR)).toBeUndefined();
    expect((await lab.say('object_del m'))[0]).toBe('');
    expect((await lab.say('undo'))[0]).toMatch(/^Error: cannot undo "- d": /);
  });

  it('is not refused if the device was plugged in and given back within the undone commits', async () => {
    const lab = await withDimm();
    await lab.say('memslot_add 40 4G 2M');
    await unplugged(lab);
    expect((await lab.say('undo 3'))[0]).toMatch(/^undid 3 commits: generation \d+, 2 swaps, 512 pages zapped\n$/);
    expect([at(lab, 2 ** 32), at(lab, ADDR)]).toEqual([undefined, undefined]);
    expect((await lab.say('redo'))[0]).toMatch(/^Error: cannot redo "\+ d": 'd' is no longer plugged in: device_add/);
    expect((await lab.say('redo 3'))[0]).toMatch(/^redid 3 commits/);
    expect([at(lab, 2 ** 32), at(lab, ADDR)]).toEqual([40, undefined]);
  });

  it('without its memory, which an undo removed, can still be unplugged', async () => {
    const lab = await withDimm();
    await lab.say('undo');
    lab.guest.until('is gone');
    await unplugged(lab);
    expect(await lab.say('object_del m')).toEqual(['']);
    expect(lab.machine.inspect.holes.total).toBe(0);
  });

  it('does not get its memslot back by redo if it was unplugged since the undo', async () => {
    const lab = await withDimm();
    await lab.say('undo');
    // As a guest does that was not notified.
    lab.machine.ports.write(0xa00, 4, 0);
    lab.machine.ports.write(0xa14, 1, 8);
    expect(lab.machine.dimms.list()).toEqual([]);
    expect((await lab.say('redo'))[0]).toMatch(/^Error: cannot redo "\+ d": 'd' is no longer plugged in: device_add pc-dimm,id=d,memdev=m/);
    expect(await lab.say('object_del m')).toEqual(['']);
  });

  it('that the guest uses at another address stays there', async () => {
    const lab = await withDimm();
    await lab.say(`device_move d 0x${ELSEWHERE.toString(16)}`);
    lab.machine.run.advance(5e6);
    expect(
      who(lab)
        .slice(2)
        .map(([, by]) => by),
    ).toEqual(['d', 'd']);
    const move = "the guest uses 'd' at its current place: device_move d moves it, device_del d takes it out";
    expect(await lab.say('undo', 'undo 2', 'undo 3')).toEqual([
      expect.stringContaining(move),
      expect.stringContaining(move),
      expect.stringContaining(move),
    ]);
    expect([at(lab, ELSEWHERE), at(lab, ADDR)]).toEqual([5, undefined]);
    await lab.say('memslot_flags 5 -l');
    expect((await lab.say('undo'))[0]).toMatch(/^undid "5 \+L"/);
  });
});

describe('virtio-mem', () => {
  it('is not undone if the guest itself plugged and unplugged the memory', async () => {
    const lab = labOf(
      await Guest.boot({
        guest: { name: 'driver', kernel: image },
        objects: [{ id: 'vmem0', size: SIZE }],
        virtio: [{ driver: 'virtio-mem', id: 'vm0', memdev: 'vmem0', requested: SIZE }],
      }),
    );
    const { machine, log } = lab;
    const until = (size: number) => {
      for (let n = 0; n < 1e6 && machine.virtio.mems()[0]!.size !== size; n++) machine.run.advance(1);
    };
    await lab.say('memslot_add 40 1T 2M');
    until(SIZE);
    expect(who(lab).slice(1)).toEqual([
      ['+ 40 bare.40', undefined],
      ['+ 256 vmem0', 'vm0'],
    ]);
    const refused = `the guest plugged this memory itself: qom-set vm0 requested-size SIZE has it plug and unplug`;
    expect(await lab.say('undo', 'undo 2')).toEqual([
      `Error: cannot undo "+ 256 vmem0": ${refused}\n`,
      `Error: cannot undo 2 commits: ${refused}\n`,
    ]);
    expect(log.goTo(0)).toContain(refused);
    expect(machine.memory.memslotById(256)).toBeDefined();
    until(0);
    expect((await lab.say('undo'))[0]).toContain(refused);
    expect((await lab.say('undo 3'))[0]).toMatch(/^undid 3 commits/);
    expect(machine.memory.memslotById(40)).toBeUndefined();
    expect((await lab.say('redo'))[0]).toMatch(/^redid "\+ 40 bare.40"/);
    expect((await lab.say('redo'))[0]).toContain(refused);
    expect((await lab.say('info generations'))[0]).toMatch(/ person {2}.*\+ 40 bare\.40\n.* vm0 {5}.*\+ 256 vmem0\n.* vm0 /);
    machine.memory.verify();
  });
});
