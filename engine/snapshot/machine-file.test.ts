/** Machine snapshots: a saved machine is restored bit for bit and continues in the same way; a damaged file is refused and changes nothing. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Machine, MachineState } from '../machine/index';
import { testMachine } from '../monitor/testing';
import { packSections } from './container';
import { inspectFile } from './inspect';
import { loadMachine, META_BYTES, readMeta, readState, saveMachine } from './machine-file';

const MIB = 0x100000;
const root = resolve(import.meta.dirname, '../..');
const elf = [resolve(root, 'public/guests/memlab.elf'), resolve(root, 'guests/memlab/memlab.elf')].find((file) => existsSync(file));
const RUNS = Number(process.env.LAB_SOAK_RUNS ?? 200);
const seed = Number(process.env.LAB_SEED ?? 20_261_126);

/** memlab at its prompt, with typed input that it has not read. */
async function memlab(): Promise<Machine> {
  const machine = await testMachine({ ram: 32 * MIB, guest: { name: 'memlab', kernel: new Uint8Array(readFileSync(elf!)) } });
  machine.run.advance(3_000_000);
  return machine;
}

async function withDimm(): Promise<Machine> {
  const machine = await memlab();
  machine.backends.add('mem1', 128 * MIB);
  machine.dimms.plug({ id: 'dimm1', memdev: 'mem1' });
  machine.run.advance(2_000_000);
  machine.serial.input(new TextEncoder().encode('help\r'));
  machine.run.advance(10_000);
  return machine;
}

/** The guest's output after a line is typed. */
function answer(machine: Machine, line: string): string {
  let text = '';
  const end = machine.serial.onOutput((bytes) => {
    text += new TextDecoder().decode(bytes);
  });
  machine.serial.input(new TextEncoder().encode(`${line}\r`));
  machine.run.advance(3_000_000);
  end();
  return text;
}

describe('a machine snapshot', () => {
  it('is restored bit for bit, and the guest continues as the original does', async () => {
    const machine = await withDimm();
    const before = await machine.digest();
    const { bytes, meta } = await saveMachine(machine, 1000);
    expect(readMeta(bytes.subarray(0, META_BYTES), bytes.length)).toEqual(meta);
    expect(await machine.digest()).toBe(before);
    machine.run.advance(2_000_000);
    const after = await machine.digest();
    expect(after).not.toBe(before);

    expect(await loadMachine(machine, bytes)).toBeUndefined();
    expect(await machine.digest()).toBe(before);
    machine.run.advance(2_000_000);
    expect(await machine.digest()).toBe(after);

    const other = await testMachine({ ram: 32 * MIB });
    expect(await loadMachine(other, bytes)).toBeUndefined();
    expect(await other.digest()).toBe(before);
    other.run.advance(2_000_000);
    expect(await other.digest()).toBe(after);
    expect(answer(other, 'help')).toContain('peek');
  });

  it('includes the memory topology, in both directions', async () => {
    const plain = await memlab();
    const { bytes: without } = await saveMachine(plain, 0);
    const plugged = await withDimm();
    const { bytes: withIt } = await saveMachine(plugged, 0);

    expect(await loadMachine(plain, withIt)).toBeUndefined();
    expect(plain.dimms.list()).toEqual(plugged.dimms.list());
    expect(plain.backends.list()).toEqual(plugged.backends.list());
    expect(plain.memory.layout(0)).toEqual(plugged.memory.layout(0));

    expect(await loadMachine(plugged, without)).toBeUndefined();
    expect(plugged.dimms.list()).toEqual([]);
    expect(plugged.backends.list().map(({ id }) => id)).not.toContain('mem1');
    // Its host memory is free, its id and slot too.
    plugged.backends.add('mem1', 256 * MIB);
    expect(plugged.dimms.plug({ id: 'dimm1', memdev: 'mem1', slot: 0 }).size).toBe(256 * MIB);
    expect(answer(plugged, 'help')).toContain('peek');
  });

  it('keeps flags and dirty bits, and ends the undo history', async () => {
    const machine = await testMachine({ ram: 32 * MIB });
    const hva = machine.host.allocate(64 * 4096, 'bare.9');
    const region = { slot: 9, flags: 1, guestPhysAddr: 2 ** 40, memorySize: 64 * 4096, userspaceAddr: hva };
    expect(machine.memory.setUserMemoryRegion(region).ok).toBe(true);
    machine.physical.write(2 ** 40 + 3 * 4096, Uint8Array.of(1));
    const { bytes } = await saveMachine(machine, 0);
    machine.memory.getDirtyLog(9);
    machine.memory.setUserMemoryRegion({ ...region, memorySize: 0 });
    expect(await loadMachine(machine, bytes)).toBeUndefined();
    expect(machine.memory.getDirtyLog(9)).toEqual({ ok: true, bitmap: Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0) });
    expect(machine.memory.canUndo(0)).toBe(false);
  });

  it('is refused while a change set is open, and by another machine', async () => {
    const machine = await testMachine({ ram: 32 * MIB });
    const { bytes } = await saveMachine(machine, 0);
    machine.changeSet.begin();
    expect(await loadMachine(machine, bytes)).toBe('a change set is open: commit or abort it first');
    expect(await loadMachine(await testMachine({ ram: 64 * MIB }), bytes)).toBe(
      'it was saved with 32 MiB of RAM; this machine has 64 MiB of RAM (-m)',
    );
    expect(await loadMachine(await testMachine({ ram: 32 * MIB, smp: 2 }), bytes)).toMatch(
      /with 1 vCPU; this machine has 2 vCPUs \(-smp\)/,
    );
  });
});

describe('a file that is not right', () => {
  let machine: Machine;
  let good: Uint8Array<ArrayBuffer>;
  let digest: string;
  let generation: number;
  const sections: { name: string; start: number; size: number }[] = [];

  beforeAll(async () => {
    machine = await withDimm();
    good = (await saveMachine(machine, 0)).bytes;
    machine.run.advance(100_000);
    digest = await machine.digest();
    generation = machine.memory.generation(0);
    const view = new DataView(good.buffer);
    for (let at = 16; at < good.length; at += 28 + view.getUint32(at + 12, true)) {
      const name = new TextDecoder().decode(good.subarray(at, at + 8)).replace(/\0+$/, '');
      sections.push({ name, start: at, size: 28 + view.getUint32(at + 12, true) });
    }
  });

  const refused = async (bytes: Uint8Array, reason: RegExp): Promise<void> => {
    expect(await loadMachine(machine, bytes)).toMatch(reason);
    expect(await machine.digest()).toBe(digest);
  };

  it('says so: cut, flipped, newer, longer, something else', async () => {
    expect(sections.map(({ name }) => name)).toEqual(expect.arrayContaining(['meta', 'machine', 'devices', 'vcpu', 'ram', 'end']));
    await refused(new Uint8Array(0), /^it is cut short at byte 0$/);
    await refused(good.subarray(0, good.length - 1), /^it is cut short at byte \d+$/);
    await refused(new TextEncoder().encode('{"format":"memslot-lab layout"}'), /^it is not a machine snapshot$/);
    const newer = good.slice();
    newer[8] = 3;
    await refused(newer, /^version 3 is newer than this lab's 2$/);
    const longer = new Uint8Array(good.length + 5);
    longer.set(good);
    await refused(longer, /^5 bytes follow its end$/);
    const devices = sections.find(({ name }) => name === 'devices')!;
    const flipped = good.slice();
    flipped[devices.start + 40]! ^= 4;
    await refused(flipped, /^section devices: its checksum differs$/);
  });

  it('is refused wherever each section is cut or a byte of it is flipped', async () => {
    console.log(`machine-file mutations: seed ${seed}, ${RUNS} runs`);
    const where = fc.tuple(fc.nat(sections.length - 1), fc.double({ min: 0, max: 0.999999, noNaN: true }));
    await fc.assert(
      fc.asyncProperty(where, fc.boolean(), fc.integer({ min: 1, max: 255 }), async ([index, part], cut, bits) => {
        const { start, size } = sections[index]!;
        const at = start + Math.floor(size * part);
        const spoilt = cut ? good.slice(0, at) : good.slice();
        if (!cut) spoilt[at]! ^= bits;
        const reason = await loadMachine(machine, spoilt);
        expect(reason).toMatch(/^[^\n]+$/);
        // A digest of all RAM each time would take minutes: layout and vCPUs reveal a restore just as well.
        expect(machine.memory.generation(0)).toBe(generation);
      }),
      { seed, numRuns: RUNS },
    );
    expect(await machine.digest()).toBe(digest);
  });
  /** Complete files with right checksums around wrong contents. */
  const wrong: [string, (state: MachineState) => void, RegExp][] = [
    ['a device field out of range', (s) => (s.devices.serial!.lcr = 256), /serial: lcr must be an integer from 0 to 255/],
    ['a missing device', (s) => delete s.devices.rtc, /device 'rtc' is missing/],
    ['a vCPU too few', (s) => s.vcpus.pop(), /it has 0 vCPU records/],
    ['a vCPU of another index', (s) => new DataView(s.vcpus[0]!.buffer, s.vcpus[0]!.byteOffset).setUint32(0x2bc, 7, true), /vCPU 7/],
    ['overlapping memslots', (s) => (s.machine.slots[1]!.gpa = 0), /memslots: EEXIST/],
    ['a memslot outside host memory', (s) => (s.machine.slots[0]!.hva = 0x60000000), /memslots: hva 0x60000000 is not host memory/],
    ['more host memory than there is', (s) => (s.machine.ranges.at(-1)!.size = 2 ** 33), /is more host memory than there is/],
    ['ranges in the core', (s) => (s.machine.ranges[0]!.start = 0x100000), /lies below 0x[0-9a-f]+, where/],
    ['a DIMM without backend', (s) => (s.machine.dimms.plugged[0]!.memdev = 'mem9'), /DIMM 'dimm1' is not what its backend 'mem9' is/],
    ['RAM in no range of host memory', (s) => (s.ram[0]!.pages[0] = 1), /RAM at hva 0x1000 is in no range of host memory/],
    ['no host memory', (s) => (s.machine.ranges = []), /backend 'ram.low' is not a range of host memory/],
    ['other boot RAM', (s) => (s.machine.backends[0]!.id = 'x'), /its boot RAM is not that of this machine/],
    ['a sleeper that is no vCPU', (s) => (s.machine.round.asleep = [1]), /round asleep names vCPU 1, which is none/],
    ['a vCPU that retries and is none', (s) => (s.machine.round.retrying = [1]), /round retrying names vCPU 1, which is none/],
    ['sleepers that are no list', (s) => (s.machine.round.asleep = 1 as unknown as number[]), /round asleep must be an array, not 1/],
    [
      'a dirty log of nothing',
      (s) => s.dirty.push({ slot: 0, bits: new Uint8Array(8) }),
      /section dirty: 16 bytes, its memslots have dirty logs of 0/,
    ],
    [
      'a dirty log of the wrong slot',
      (s) => {
        s.machine.slots[1]!.flags = 1;
        s.dirty.push({ slot: 0, bits: new Uint8Array(8) });
      },
      /dirty log of memslot 0, which logs nothing/,
    ],
  ];
  it.each(wrong)('with %s is refused', async (_what, spoil, reason) => {
    const state = structuredClone(await readState(good)) as MachineState;
    spoil(state);
    await refused(await packed(state), reason);
  });
});

describe('a file from before the sleepers of a round were kept', () => {
  it('wakes vCPUs when it is loaded', async () => {
    const machine = await withDimm();
    const state = await readState((await saveMachine(machine, 0)).bytes);
    const old = structuredClone(state) as MachineState;
    delete old.machine.round.asleep;
    delete old.machine.round.retrying;
    expect(await loadMachine(machine, await packed(old))).toBeUndefined();
    expect(machine.snapshot.capture().machine.round.asleep).toEqual([]);
  });
});

/** Every leaf below `value`, as its object and key. */
function leaves(value: object): { holder: Record<string, unknown>; key: string }[] {
  return Object.keys(value).flatMap((key) => {
    const holder = value as Record<string, unknown>;
    const inner = holder[key];
    return typeof inner === 'object' && inner !== null ? leaves(inner) : [{ holder, key }];
  });
}

describe('a file with right checksums and one wrong value', () => {
  it('is refused, or is a machine that runs and can be replaced', async () => {
    const machine = await withDimm();
    const good = (await saveMachine(machine, 0)).bytes;
    const state = await readState(good);
    const count = leaves({ machine: state.machine, devices: state.devices }).length;
    const odd = fc.oneof(
      fc.integer(),
      fc.nat(0xff),
      fc.constantFrom(0, 1, -1, 0.5, 2 ** 32, 2 ** 53, 2 ** 46, null, true, '', 'x', [], {}),
    );
    console.log(`machine-file values: seed ${seed}`);
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(count - 1), odd, async (index, value) => {
        const other = structuredClone(state) as MachineState;
        const { holder, key } = leaves({ machine: other.machine, devices: other.devices })[index]!;
        holder[key] = value;
        const before = machine.run.instructions;
        const reason = await loadMachine(machine, await packed(other));
        if (reason !== undefined) {
          expect(reason).toMatch(/^[^\n]+$/);
          expect(reason).not.toMatch(/undefined|cannot be read/);
          expect(machine.run.instructions).toBe(before);
          return;
        }
        accepted += 1;
        machine.run.advance(20_000);
        machine.run.stop();
        expect(await loadMachine(machine, good)).toBeUndefined();
      }),
      { seed, numRuns: RUNS },
    );
    expect(accepted).toBeLessThan(RUNS);
    expect(await loadMachine(machine, good)).toBeUndefined();
    expect(answer(machine, 'help')).toContain('peek');
  }, 120_000);
});

/** Packs like saveMachine. */
function packed(state: MachineState): Promise<Uint8Array> {
  const stub = { snapshot: { capture: () => state }, run: { guestTimeNs: 0, instructions: 0 } } as unknown as Machine;
  return saveMachine(stub, 0).then(({ bytes }) => bytes);
}

describe('the container', () => {
  it('refuses a section that unpacks to more than it says', async () => {
    const file = await packSections([{ name: 'meta', bytes: new Uint8Array(5000) }]);
    const view = new DataView(file.buffer);
    view.setUint32(16 + 16, 10, true);
    const { crc32 } = await import('./crc32');
    view.setUint32(16 + 24, crc32(file.subarray(16, 40)), true);
    await expect(readState(file)).rejects.toThrow(/section machine is missing/);
    const { readSections, unpackSection } = await import('./container');
    await expect(unpackSection(readSections(file, { meta: 65536 })[0]!)).rejects.toThrow('section meta: it unpacks to more than 10 bytes');
  });
});

/** Small files that claim to be large ones. The number of streams that unpack shows how much was processed. */
describe('a bomb', () => {
  let state: MachineState;
  let machine: Machine;
  let opened = 0;

  beforeAll(async () => {
    machine = await testMachine({ ram: 32 * MIB });
    state = (await readState((await saveMachine(machine, 0)).bytes)) as MachineState;
  });

  beforeEach(() => {
    opened = 0;
    const Real = DecompressionStream;
    vi.stubGlobal(
      'DecompressionStream',
      class extends Real {
        constructor(format: CompressionFormat) {
          super(format);
          opened += 1;
        }
      },
    );
  });
  afterEach(() => vi.unstubAllGlobals());

  /** `count` pieces of RAM of 4 MiB each; `from` gives the first page of each. */
  const withRam = (ranges: MachineState['machine']['ranges'], count: number, from: (index: number) => number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(1024 * 4096).fill(0x11);
    const ram = Array.from({ length: count }, (_, index) => ({
      pages: Uint32Array.from({ length: 1024 }, (_unused, page) => from(index) + page),
      bytes,
    }));
    return packed({ ...state, machine: { ...state.machine, ranges }, ram });
  };
  const refusals = async (file: Uint8Array): Promise<(string | undefined)[]> => [
    await loadMachine(machine, file),
    await inspectFile(file).then(
      () => 'taken',
      (error: Error) => error.message,
    ),
  ];

  it('of host memory that cannot be is refused before any RAM is unpacked', async () => {
    const { ranges } = state.machine;
    const end = ranges.at(-1)!.start + ranges.at(-1)!.size;
    const claims = [...ranges, { start: end, size: 2 ** 52, label: 'x' }];
    const file = await withRam(claims, 60, () => 0);
    expect(file.length).toBeLessThan(2 * MIB);
    const words = /is more host memory than there is/;
    expect(await refusals(file)).toEqual([expect.stringMatching(words), expect.stringMatching(words)]);
    // Once each for the description.
    expect(opened).toBeLessThanOrEqual(2);
  });

  it('of more RAM than its host memory is refused before any is unpacked', async () => {
    const words = /^RAM of 251658240 bytes is more than its \d+ bytes of host memory$/;
    expect(await refusals(await withRam(state.machine.ranges, 60, () => 0))).toEqual([
      expect.stringMatching(words),
      expect.stringMatching(words),
    ]);
    expect(opened).toBeLessThanOrEqual(2);
  });

  it('for another machine is refused before any RAM is unpacked', async () => {
    const file = await packed({ ...state, machine: { ...state.machine, config: { ...state.machine.config, ram: 64 * MIB } } });
    opened = 0;
    expect(await loadMachine(machine, file)).toMatch(/^it was saved with 64 MiB of RAM; this machine has 32 MiB/);
    expect(opened).toBeLessThanOrEqual(1);
  });

  it('of the same pages again and again is refused at the first of them', async () => {
    const { ranges } = state.machine;
    const end = ranges.at(-1)!.start + ranges.at(-1)!.size;
    const file = await withRam([...ranges, { start: end, size: 2 ** 30, label: 'x' }], 60, () => ranges[0]!.start / 4096);
    expect(await loadMachine(machine, file)).toMatch(/^RAM at hva 0x\w+ is in no range of host memory$/);
    expect(opened).toBeLessThan(16);
  });

  it('of dirty logs and vCPUs that the machine lacks is refused before they are unpacked', async () => {
    const many = { ...state, dirty: [{ slot: 0, bits: new Uint8Array(40 * MIB) }] };
    expect(await loadMachine(machine, await packed(many))).toMatch(/^section dirty: \d+ bytes, its memslots have dirty logs of 0$/);
    const crowd = { ...state, vcpus: Array.from({ length: 8 }, () => state.vcpus[0]!) };
    expect(await loadMachine(machine, await packed(crowd))).toMatch(/^section vcpu: 32772 bytes, 1 vCPUs have 4100$/);
    expect(opened).toBeLessThanOrEqual(2);
  });
});
