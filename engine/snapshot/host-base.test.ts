/**
 * Files, links and replays on machines whose host memory begins elsewhere. fixtures/absolute-hvas.json is from the last program that wrote absolute
 * hvas: a machine of 4 MiB with a DIMM, a slot that logs, and one that spans several backings.
 */
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { Machine } from '../machine/index';
import fixture from './fixtures/absolute-hvas.json';

const MIB = 0x100000;
const MOST = { meta: MIB, machine: MIB, devices: MIB, vcpu: MIB, dirty: MIB, ram: 5 * MIB };
const kernel = Uint8Array.of(0xb8, 0x34, 0x12, 0xa3, 0x00, 0x90, 0xf4, 0xeb, 0xfd); // mov ax, 0x1234; mov [0x9000], ax; hlt; jmp $-1
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
afterAll(() => vi.doUnmock('../abi/layout'));

/** The program with its host memory this many bytes higher. */
const programs = new Map<number, ReturnType<typeof importAt>>();
const programAt = (higher: number) => programs.get(higher) ?? programs.set(higher, importAt(higher)).get(higher)!;

async function importAt(higher: number) {
  vi.doUnmock('../abi/layout');
  vi.resetModules();
  vi.doMock('../abi/layout', async (original) => {
    const layout = await original<typeof import('../abi/layout')>();
    return { ...layout, HOST_BASE: layout.HOST_BASE + higher };
  });
  // One after another: they share modules, and the mock is created once.
  const layout = await import('../abi/layout');
  const snapshot = await import('./index');
  const { testMachine } = await import('../monitor/testing');
  const { withHvasHere } = await import('../replay/host-base');
  const config = { ram: 4 * MIB, slots: 4, maxmem: 2048 * MIB, guest: { name: 'halt.flat', kernel } };
  return { ...snapshot, withHvasHere, base: layout.HOST_BASE, make: () => testMachine(config) };
}

const layoutOf = (machine: Machine, base: number): number[][] =>
  machine.memory.layout(0).map((each) => [each.slot, each.guestPhysAddr, each.memorySize, each.userspaceAddr - base]);
const recorded = fixture.layout.map(([slot, gpa, size, hva]) => [slot, gpa, size, hva! - 0x2000000]);

describe.each([
  ['where it begins now', 0],
  ['16 MiB higher', 16 * MIB],
])('with host memory %s', (_where, higher) => {
  it('an old snapshot file opens to the digest that it had', async () => {
    const { loadMachine, make, base } = await programAt(higher);
    const machine = await make();
    expect(await loadMachine(machine, bytesOf(fixture.file))).toBeUndefined();
    expect(layoutOf(machine, base)).toEqual(recorded);
    expect(await machine.digest()).toBe(fixture.digest);
    expect(machine.physical.read(0x9000, 2)).toEqual(Uint8Array.of(0xa5, 0xa5));
    expect(machine.memory.peekDirtyLog(40)?.[0]).toBe(2);
  });

  it.each(['state', 'replay'] as const)('the state in an old %s is put back where it belongs', async (kind) => {
    const { make, base, freshState, unpackState, unpackBytesLink, unpackReplayFile, readReplay } = await programAt(higher);
    const unpacked = await unpackBytesLink('s', fixture.state);
    const content =
      kind === 'state' ? (unpacked as { bytes: Uint8Array }).bytes : readReplay(await unpackReplayFile(bytesOf(fixture.replay))).state!;
    const machine = await make();
    machine.snapshot.restore(unpackState(content, freshState(await make())));
    expect(layoutOf(machine, base)).toEqual(recorded);
    expect(machine.physical.read(0x100001000, 4)).toEqual(Uint8Array.of(0x5a, 0x5a, 0x5a, 0x5a));
  });

  it('what it saves opens to the same digest in a program with host memory elsewhere', async () => {
    const here = await programAt(higher);
    const machine = await here.make();
    expect(await here.loadMachine(machine, bytesOf(fixture.file))).toBeUndefined();
    const { bytes } = await here.saveMachine(machine, 0);
    const link = here.packState(machine.snapshot.capture(), here.freshState(await here.make()), {
      spec: here.readReplay(await here.unpackReplayFile(bytesOf(fixture.replay))).spec,
      digest: fixture.digest,
      screen: '',
    });
    const there = await programAt(16 * MIB - higher);
    const other = await there.make();
    expect(await there.loadMachine(other, bytes)).toBeUndefined();
    expect(await other.digest()).toBe(fixture.digest);
    const linked = await there.make();
    linked.snapshot.restore(there.unpackState(link, there.freshState(await there.make())));
    expect(layoutOf(linked, there.base)).toEqual(recorded);
    expect(await linked.digest()).toBe(fixture.digest);
  });

  it('a typed hva is adjusted', async () => {
    const { withHvasHere, base } = await programAt(higher);
    const by = base - 0x2000000;
    const line = (text: string): unknown => withHvasHere({ kind: 'line', line: text }, 0x2000000);
    expect(line('memslot_add 41 8G 2M 0x2200000 -r')).toEqual({ kind: 'line', line: `memslot_add 41 8G 2M 0x2200000+${by} -r` });
    const here = { kind: 'line', line: 'memslot_add 41 8G 2M 0x4200000 -r' } as const;
    expect(withHvasHere(here, base)).toEqual(here);
    for (const plain of ['memslot_add 41 8G 2M -r', 'memslot_move 4 8G', 'no such command', 'memslot_add 1'])
      expect(line(plain)).toEqual({ kind: 'line', line: plain });
    const edit = (hva: number): unknown =>
      withHvasHere({ kind: 'stage', action: { do: 'stage', edit: { op: 'add', slot: 41, gpa: 0, size: MIB, hva, flags: 0 } } }, 0x2000000);
    expect(edit(0x2200000)).toMatchObject({ action: { edit: { hva: 0x2200000 + by } } });
    expect(edit(0)).toMatchObject({ action: { edit: { hva: 0 } } });
  });
});

it('a moved hva is read by the monitor, also behind a suffix', async () => {
  const { make, base } = await programAt(0);
  const [{ Monitor }, { testEnv }] = await Promise.all([import('../monitor/index'), import('../monitor/testing')]);
  const monitor = new Monitor(await make(), testEnv());
  const host = base / MIB;
  expect(await monitor.execute(`memslot_add 41 8G 128k ${host}M+2097152`)).toBe('');
  expect(await monitor.execute('gpa2hva 0x200000000')).toContain((base + 2 * MIB).toString(16));
});

it('vCPU records of another version are refused by it', async () => {
  const { make, loadMachine, saveMachine, packState, unpackState } = await programAt(0);
  const { packSections, readSections, unpackSection } = await import('./container');
  const machine = await make();
  const sections = readSections((await saveMachine(machine, 0)).bytes, MOST);
  const unpacked = await Promise.all(
    sections.map(async (section) => ({ name: section.name, bytes: (await unpackSection(section)).slice() })),
  );
  unpacked.find(({ name }) => name === 'vcpu')!.bytes[0] = 9;
  expect(await loadMachine(machine, await packSections(unpacked))).toBe('its vCPU records have version 9, this lab reads 1');

  const state = machine.snapshot.capture();
  const link = packState(state, state, { spec: {} as never, digest: '', screen: '' });
  const later = new TextDecoder('latin1').decode(link).replace('"record":1', '"record":9');
  expect(() =>
    unpackState(
      Uint8Array.from(later, (each) => each.charCodeAt(0)),
      state,
    ),
  ).toThrow('its vCPU records have version 9, this lab reads 1');
});
