/** Recorded sessions, replayed in other workers: the same machine, and the same digest. */
import { afterEach, describe, expect, it } from 'vitest';
import { Random } from '../../test/support/random';
import { HOST_BASE } from '../abi/layout';
import { type JournalInput, packBytesLink, packReplay, readReplay, unpackBytesLink } from '../snapshot/index';
import type { ReplayView, ToWorker } from './protocol';
import { config, type Of, Page } from './testing';

const MIB = 0x100000;
const pages: Page[] = [];

async function started(more: Partial<Extract<ToWorker, { type: 'boot' }>> = {}): Promise<Page> {
  const page = new Page();
  pages.push(page);
  page.boot(more);
  await page.first('booted');
  return page;
}
afterEach(async () => {
  for (const page of pages.splice(0)) await page.session.end();
});

const shows = (page: Page, pattern: RegExp) => page.until(() => (pattern.test(page.console) ? true : undefined));
const type = (page: Page, text: string) => page.session.receive({ type: 'console', text });
const fragmentOf = (link: string): string => link.slice(link.indexOf('#'));

async function linkOf(page: Page, what: 'state' | 'replay'): Promise<string> {
  const { value, error } = await page.ask({ type: 'share', what });
  expect(error).toBeUndefined();
  return String(value);
}

const lastView = (page: Page): Promise<ReplayView> =>
  page.until(() => page.heard.findLast((said): said is Of<'replay'> => said.type === 'replay' && said.view.phase !== 'running')?.view);

async function replayed(link: string, more: Partial<Extract<ToWorker, { type: 'boot' }>> = {}) {
  const page = await started({ link: fragmentOf(link), ...more });
  expect(page.heard.find((said) => said.type === 'boot-error')).toBeUndefined();
  const view = await lastView(page);
  if (view.phase === 'done') expect(view.digest).toBe(view.expected);
  expect(view).toMatchObject({ phase: 'done' });
  return page;
}

it('a machine that began with dirty rings and stopped is played with them', async () => {
  const page = await started({ dirtyRing: 256, paused: true });
  await page.monitor('cont');
  await shows(page, /lab> $/);
  await page.monitor('memslot_flags 3 -l');
  type(page, 'poke 0x2000000 0x11\r');
  await shows(page, /poke[\s\S]*lab> $/);
  const other = await replayed(await linkOf(page, 'replay'));
  expect(await other.monitor('dirty_ring status')).toMatch(/\n0 +256 /);
});

/** What a person may do in a session, one of each kind. */
async function busySession(page: Page): Promise<void> {
  await shows(page, /lab> $/);
  for (const key of 'mem\r') {
    type(page, key);
    await new Promise((done) => setTimeout(done, 3));
  }
  await shows(page, /mem\r\n[\s\S]*lab> $/);
  for (const n of [1, 2]) {
    await page.monitor(`object_add memory-backend-ram,id=m${n},size=128M`);
    await page.monitor(`device_add pc-dimm,id=d${n},memdev=m${n},addr=${n * 128 * MIB}`);
  }
  await shows(page, /DIMM slot 1 at 0x10000000, 128 MiB/);
  type(page, 'poke 0x8000000 0x1111\rwatch 0x8000000\r');
  await shows(page, /watch 0x8000000\r\n/);
  for (const legacy of [false, true]) {
    const to = legacy ? [128, 256] : [256, 128];
    await page.ask({ type: 'stage', action: { do: 'begin' } });
    for (const [at, slot] of [5, 6].entries()) {
      expect(await page.ask({ type: 'stage', action: { do: 'stage', edit: { op: 'move', slot, gpa: to[at]! * MIB } } })).toMatchObject({
        value: '',
      });
    }
    expect(await page.ask({ type: 'stage', action: { do: 'commit', legacy } })).toMatchObject({ value: '' });
  }
  await shows(page, /hole/);
  await page.ask({ type: 'call', method: 'undo' });
  await page.monitor('redo');
  await page.ask({ type: 'go-to', index: 3 });
  // The guest reads an INVALID slot and retries until the second swap.
  await page.ask({ type: 'stage', action: { do: 'begin' } });
  await page.ask({ type: 'stage', action: { do: 'stage', edit: { op: 'move', slot: 6, gpa: 768 * MIB } } });
  await page.ask({ type: 'stage', action: { do: 'commit-stepped' } });
  for (let phase = 0; phase < 4; phase++) expect(await page.ask({ type: 'stage', action: { do: 'step' } })).toMatchObject({ value: '' });
  const retries = page.machine!.inspect.stats().retries!;
  for (let waited = 0; waited < 1000 && page.machine!.inspect.stats().retries! < retries + 3; waited++)
    await new Promise((done) => setTimeout(done, 3));
  expect(page.machine!.inspect.stats().retries).toBeGreaterThan(retries);
  expect(await page.ask({ type: 'stage', action: { do: 'finish' } })).toMatchObject({ value: '' });
  await page.ask({ type: 'call', method: 'undo' });
  await page.monitor('memslot_add 40 1T 2M');
  await page.monitor('object_add memory-backend-ram,id=m3,size=128M');
  await page.ask({ type: 'stage', action: { do: 'begin' } });
  await page.ask({ type: 'stage', action: { do: 'stage', edit: { op: 'rehost', slot: 6, memdev: 'm3' } } });
  expect(await page.ask({ type: 'stage', action: { do: 'commit', legacy: false } })).toMatchObject({ value: '' });
  await page.monitor('info memslots');
  page.session.receive({ type: 'run', action: 'stop' });
  page.session.receive({ type: 'run', action: 'step' });
  page.session.receive({ type: 'run', action: 'cont' });
  type(page, 'q');
  await page.monitor('device_move d1 0x20000000');
  await page.monitor('layout_save kept');
  await page.monitor('undo');
  expect(await page.monitor('layout_load kept')).toBe('');
}

const LINES = [
  'object_add memory-backend-ram,id=m1,size=64M',
  'object_add memory-backend-ram,id=m2,size=64M',
  'device_add pc-dimm,id=d1,memdev=m1',
  'device_add pc-dimm,id=d2,memdev=m2',
  'device_del d1',
  'device_move d2 0x20000000',
  'object_del m1',
  'memslot_add 40 1T 2M -l',
  'memslot_split 40 0x10000100000 41',
  'memslot_move 40 2T',
  'memslot_move 5 0x30000000',
  'memslot_rehost 4',
  'memslot_rehost 5 m2',
  'memslot_del 41',
  'dirty_log 40',
  'changeset_begin',
  'changeset_commit -l',
  'changeset_commit',
  'changeset_commit -s',
  'changeset_step',
  'changeset_step',
  'changeset_step -a',
  'changeset_abort',
  'undo',
  'redo',
  'nmi',
  'stop',
  'cont',
  'cont',
  'i /b 0x3fd',
  'zap_mode all',
  'info mtree',
];
const TYPED = ['mem\r', 'p', '\r', 'poke 0x2000000 1\r', 'watch 0x2000000\r', 'q', 'bench\r', 'h', 'elp\r'];

async function randomInput(page: Page, random: Random): Promise<void> {
  const kind = random.below(10);
  if (kind < 6) await page.monitor(random.of(LINES));
  else if (kind < 9) type(page, random.of(TYPED));
  else page.session.receive({ type: 'run', action: random.of(['stop', 'cont', 'cont', 'step', 'reset'] as const) });
}

/** A change set of this many new slots, committed by legacy calls while the guest watches an address. */
async function longLegacyCommit(page: Page, slots: number): Promise<ReturnType<Page['ask']>> {
  await shows(page, /lab> $/);
  type(page, 'watch 0x2000000\r');
  await shows(page, /watch 0x2000000\r\n/);
  await page.ask({ type: 'stage', action: { do: 'begin' } });
  for (let n = 0; n < slots; n++) await page.monitor(`memslot_add ${100 + n} ${2 ** 40 + n * 8192} 4096 ${HOST_BASE}`);
  return page.ask({ type: 'stage', action: { do: 'commit', legacy: true } });
}

const slotsOf = (page: Page): number => page.machine!.memory.slotCount(0);

describe('a legacy commit of many calls', () => {
  const SLOTS = 600;

  it('handles messages between its calls; lines typed during it come after it, here and in a replay', async () => {
    const page = await started();
    const committed = longLegacyCommit(page, SLOTS);
    await page.holds(() => slotsOf(page) > 50);
    const midway = slotsOf(page);
    expect(midway).toBeLessThan(SLOTS);
    page.session.receive({ type: 'ping' });
    expect(page.heard.at(-1)).toEqual({ type: 'pong' });
    type(page, 'q');
    page.session.receive({ type: 'run', action: 'stop' });
    expect(page.machine!.run.state).toBe('running');
    // Between its calls nobody sees a half-finished set.
    await page.holds(() => slotsOf(page) > midway + 20);
    expect(slotsOf(page)).toBeLessThan(SLOTS);
    expect(page.state!.changeSet.entries.flatMap(({ refusals }) => refusals)).toEqual([]);
    expect(await committed).toMatchObject({ value: '' });
    await page.holds(() => page.machine!.run.state === 'paused');
    expect(page.state!.history.at(-1)).toMatchObject({ legacy: true, swaps: SLOTS, changed: { length: SLOTS } });
    const other = await replayed(await linkOf(page, 'replay'));
    expect(slotsOf(other)).toBe(slotsOf(page));
    const told = other.heard.flatMap((said) => (said.type === 'replay' && said.view.phase === 'running' ? [said.view.done] : []));
    expect(new Set(told).size).toBeGreaterThan(1);
  });

  it('is cancelled with its replay: its completed calls remain, and no further replay is offered', async () => {
    const page = await started();
    const committed = longLegacyCommit(page, SLOTS);
    expect(await committed).toMatchObject({ value: '' });
    const other = await started({ link: fragmentOf(await linkOf(page, 'replay')) });
    await other.holds(() => slotsOf(other) > 50);
    other.session.receive({ type: 'cancel-replay' });
    expect(await lastView(other)).toMatchObject({ phase: 'cancelled' });
    expect(slotsOf(other)).toBeGreaterThan(50);
    expect(slotsOf(other)).toBeLessThan(slotsOf(page));
    expect((await other.ask({ type: 'share', what: 'replay' })).error).toContain('cancelled in the middle of a legacy commit');
    // The machine continues, and the set can be dropped.
    expect(await other.monitor('changeset_abort')).toBe('');
    type(other, 'q');
    await shows(other, /lab> $/);
  });
});

describe('a replay link', () => {
  it('ends in the same machine in another browser, which continues live and can be replayed in turn', async () => {
    const page = await started();
    await busySession(page);
    await page.monitor('stop');
    const link = await linkOf(page, 'replay');
    expect(link).toMatch(/^https:\/\/lab\.example\/#r=1\.[\w-]+$/);
    expect(link.length).toBeLessThan(2000);
    const other = await replayed(link);
    expect(other.console).toContain('hole');
    expect(other.state!.history.map(({ title, holes }) => [title, holes])).toEqual(
      page.state!.history.map(({ title, holes }) => [title, holes]),
    );
    expect(other.state!.run).toBe('paused');
    await other.monitor('cont');
    type(other, 'mem\r');
    await other.monitor('memslot_del 40');
    await replayed(await linkOf(other, 'replay'));
  });

  it('leads to the same machine after random inputs at random moments', async () => {
    for (const seed of [1, 2, 3]) {
      const random = new Random(seed);
      const page = await started();
      for (let n = 0; n < 60; n++) {
        await randomInput(page, random);
        for (let turns = random.below(12); turns > 0; turns--) await new Promise((done) => setImmediate(done));
      }
      const link = await linkOf(page, 'replay');
      await page.session.end();
      await (await replayed(link)).session.end();
    }
  });

  it('covers a reset, a breakpoint, and a machine that is stopped at the end', async () => {
    const page = await started();
    await shows(page, /lab> $/);
    page.session.receive({ type: 'run', action: 'reset' });
    await shows(page, /lab> [\s\S]*lab> $/);
    const count = Number(/count = (\d+)/.exec(await page.monitor('info replay'))![1]);
    await page.monitor(`replay_break ${count + 500}`);
    type(page, 'mem\r');
    await page.until(() => (page.state!.run === 'paused' ? true : undefined));
    await page.monitor('cpu 0');
    const other = await replayed(await linkOf(page, 'replay'));
    expect(other.state!.run).toBe('paused');
    expect(await other.monitor('info digest')).toBe(await page.monitor('info digest'));
  });

  it('starts from the snapshot that was loaded last', async () => {
    const page = await started();
    await shows(page, /lab> $/);
    await page.monitor('memslot_add 40 1T 2M');
    await page.monitor('savevm one');
    await page.monitor('memslot_del 40');
    expect(await page.monitor('loadvm one')).toBe('');
    type(page, 'poke 0x2000000 7\r');
    await page.monitor('memslot_move 40 2T');
    const other = await replayed(await linkOf(page, 'replay'));
    expect(other.state!.slots.find(({ slot }) => slot === 40)?.guestPhysAddr).toBe(2 * 2 ** 40);
    expect(other.state!.history.slice(1).map(({ title }) => title)).toEqual(page.state!.history.slice(1).map(({ title }) => title));
  });

  it('works as a file too', async () => {
    const page = await started();
    await shows(page, /lab> $/);
    type(page, 'poke 0x2000000 7\r');
    const { value } = await page.ask({ type: 'export', what: 'replay' });
    const other = await started({ replay: value as Uint8Array });
    expect(await lastView(other)).toMatchObject({ phase: 'done' });
    const view = await lastView(other);
    expect(view.phase === 'done' && view.digest === view.expected).toBe(true);
  });

  it('reports progress, refuses other inputs, and can be cancelled', async () => {
    const page = await started();
    await shows(page, /lab> $/);
    type(page, 'watch 0x2000000\r');
    const from = (await page.first('figures')).figures.instructions;
    await page.until(() => page.heard.find((said) => said.type === 'figures' && said.figures.instructions > from + 60_000_000));
    const other = await started({ link: fragmentOf(await linkOf(page, 'replay')) });
    const first = await other.until(() => other.heard.find((said): said is Of<'replay'> => said.type === 'replay')?.view);
    expect(first).toMatchObject({ phase: 'running', total: expect.any(Number) });
    expect(await other.monitor('info status')).toBe('VM status: running\n');
    expect(await other.ask({ type: 'monitor', line: 'stop' })).toMatchObject({ error: expect.stringContaining('a replay is running') });
    other.session.receive({ type: 'cancel-replay' });
    expect(await lastView(other)).toMatchObject({ phase: 'cancelled' });
    expect(await other.monitor('stop')).toBe('');
    await replayed(await linkOf(other, 'replay'));
  });

  it('is refused for another guest, another build of it, and commands that no journal may hold', async () => {
    const page = await started();
    await shows(page, /lab> $/);
    await page.monitor('savevm one');
    const link = fragmentOf(await linkOf(page, 'replay'));
    const kernel = new Uint8Array(page.kernel);
    kernel[kernel.length - 1]! ^= 1;
    const { bytes } = (await unpackBytesLink('r', link)) as { bytes: Uint8Array };
    const replay = readReplay(bytes);
    for (const line of [
      'savevm x',
      'loadvm one',
      'layout_save x',
      'share',
      'quit',
      'log unimp',
      'pmemsave 0 1 /etc/x',
      'info status',
      'nope',
    ]) {
      const input: JournalInput = { kind: 'line', line };
      const hostile = await packBytesLink('r', packReplay({ ...replay, entries: [{ at: replay.end, input }] }), '');
      const { reason, fallback } = await (await started({ link: hostile })).first('boot-error');
      expect([reason, fallback]).toEqual([`input 1: ${JSON.stringify(line)} is not a command that a replay may contain`, true]);
    }
    const refused = async (guest: { name: string; kernel: Uint8Array }) =>
      (await (await started({ link, guest })).first('boot-error')).reason;
    expect(await refused({ name: 'other', kernel: page.kernel })).toBe("it is for the guest 'memlab', not 'other'");
    expect(await refused({ name: 'memlab', kernel })).toMatch(/a different build of memlab/);
  });

  it('cannot be made of a guest from a file; its replay file can', async () => {
    const page = await started({ own: true });
    expect((await page.ask({ type: 'share', what: 'replay' })).error).toMatch(/^'memlab' is a local file/);
    expect((await page.ask({ type: 'share', what: 'state' })).error).toMatch(/save a file/);
    expect((await page.ask({ type: 'export', what: 'replay' })).value).toBeInstanceOf(Uint8Array);
  });

  it('cannot be made of a journal that has grown too long, until a snapshot is loaded', async () => {
    const page = await started();
    await shows(page, /lab> $/);
    await page.monitor('savevm one');
    for (let n = 0; n < 20_001; n++) type(page, '');
    await page.until(() => page.heard.find((said) => said.type === 'monitor-event' && said.text.includes('No replay link can be made')));
    expect((await page.ask({ type: 'share', what: 'replay' })).error).toBe('no replay can be made: more than 20000 inputs came');
    await page.monitor('loadvm one');
    await replayed(await linkOf(page, 'replay'));
  });
});

describe('a snapshot that was loaded', () => {
  it('can be undone: the previous machine is restored, and can be replayed', async () => {
    const page = await started();
    await shows(page, /lab> $/);
    expect((await page.ask({ type: 'load' })).error).toBe('no snapshot was loaded: there is nothing to go back to');
    await page.monitor('savevm one');
    await page.monitor('memslot_add 40 1T 2M');
    await page.monitor('stop');
    const digest = await page.monitor('info digest');
    await page.monitor('loadvm one');
    expect(await page.monitor('info digest')).not.toBe(digest);
    expect(await page.ask({ type: 'load' })).toMatchObject({ value: '' });
    expect(await page.monitor('info digest')).toBe(digest);
    await replayed(await linkOf(page, 'replay'));
    // The load that was taken back can be repeated.
    await page.ask({ type: 'load' });
    expect(page.state!.slots.some(({ slot }) => slot === 40)).toBe(false);
  });
});

describe('a state link', () => {
  it('opens the same machine, with its memory, its DIMMs and what stood on its console', async () => {
    const page = await started();
    await shows(page, /lab> $/);
    const plain = await linkOf(page, 'state');
    expect(plain.length).toBeLessThan(2000);
    await page.monitor('object_add memory-backend-ram,id=m1,size=128M');
    await page.monitor('device_add pc-dimm,id=d1,memdev=m1,addr=0x8000000');
    await shows(page, /DIMM slot 0 at/);
    type(page, 'poke 0x8000000 0x1234\r');
    await page.monitor('stop');
    const { value } = await page.ask({ type: 'share', what: 'state', screen: 'lab> poke\u001b[31m\nlab> ' });
    const other = await started({ link: fragmentOf(String(value)) });
    expect(other.heard.find((said) => said.type === 'boot-error')).toBeUndefined();
    expect(await other.first('state-opened')).toMatchObject({ screen: 'lab> poke[31m\nlab> ' });
    expect(other.state!.run).toBe('paused');
    expect(other.state!.dimms.map(({ id }) => id)).toEqual(['d1']);
    await other.monitor('cont');
    type(other, '\rpeek 0x8000000\r');
    await shows(other, /0x0*1234/);
    await replayed(await linkOf(other, 'replay'));
  });

  it('has the digest of the machine', async () => {
    const page = await started();
    await shows(page, /lab> $/);
    type(page, 'poke 0x2000000 0x1234\r');
    await shows(page, /poke[^>]*lab> $/);
    await page.monitor('memslot_add 40 1T 2M');
    await page.monitor('stop');
    const digest = await page.monitor('info digest');
    const other = await started({ link: fragmentOf(await linkOf(page, 'state')) });
    expect(`${(await other.first('state-opened')).digest}\n`).toBe(digest);
    expect(await other.monitor('info digest')).toBe(digest);
  });

  it('of a guest with much memory is not made; the reason names how much', async () => {
    const page = await started();
    await shows(page, /lab> $/);
    page.session.receive({ type: 'run', action: 'stop' });
    for (let gpa = 0x1000000; gpa < 0x1000000 + 10 * MIB; gpa += 4096) page.machine!.physical.write(gpa, Uint8Array.of(1));
    expect((await page.ask({ type: 'share', what: 'state' })).error).toMatch(
      /^the guest uses \d+ bytes of memory, more than a link can contain: save a file$/,
    );
    expect(config.ram).toBeGreaterThan(20 * MIB);
  });
});
