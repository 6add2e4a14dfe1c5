/** The worker's session on the real machine, without a Worker. */
import { afterEach, describe, expect, it } from 'vitest';
import { testMachine } from '../monitor/testing';
import { captureLayout, layoutText, packLink } from '../snapshot/index';
import type { StageAction, ToWorker } from './protocol';
import { config, type Of, Page } from './testing';

const MIB = 0x100000;
let page: Page;
const started = async (more: Partial<Extract<ToWorker, { type: 'boot' }>> = {}): Promise<Page> => {
  page = new Page();
  page.boot(more);
  await page.first('booted');
  return page;
};
afterEach(() => page.session.end());

const regions = (page: Page): unknown =>
  page.state!.slots.map(({ slot, guestPhysAddr, memorySize, flags, name }) => [slot, guestPhysAddr, memorySize, flags, name]);

describe('booting', () => {
  it('makes the machine with the devices in the flags, and reports what is wrong with them', async () => {
    page = await started({
      devices: '-object memory-backend-ram,id=v,size=64M -device virtio-mem-device,id=vm0,memdev=v -device virtio-balloon-device',
    });
    expect((await page.first('state')).state.config).toMatchObject({
      objects: [{ id: 'v', size: 64 * MIB }],
      virtio: [{ driver: 'virtio-mem', id: 'vm0' }, {}],
    });
    expect(await page.monitor('info balloon')).toBe('balloon: actual=64\n');
    for (const [devices, reason] of [
      ['-device virtio-mem-device,id=vm0,memdev=none', /id=vm0: Device 'none' not found/],
      ['-device nope', /^-device nope: 'nope' is not a valid device model name here/],
      ['-device', /^-device: requires an argument/],
      ['-smp 2', /^-smp: -object and -device can stand here/],
    ] as const) {
      page = new Page();
      page.boot({ devices });
      expect(await page.first('boot-error')).toMatchObject({ reason: expect.stringMatching(reason), fallback: false });
    }
  });

  it('enables dirty rings before the guest first runs, waits if requested, and uses the requested index', async () => {
    page = await started({ dirtyRing: 512, paused: true, config: { ...config, index: 'rbtree' } });
    expect((await page.first('state')).state).toMatchObject({ run: 'paused', config: { index: 'rbtree' } });
    expect(page.machine!.run.instructions).toBe(0);
    expect(await page.monitor('dirty_ring status')).toMatch(/\n0 +512 +0/);
    await page.monitor('cont');
    await page.until(() => (page.console.includes('lab> ') ? true : undefined));

    page = new Page();
    page.boot({ dirtyRing: 300 });
    expect(await page.first('boot-error')).toMatchObject({ reason: expect.stringMatching(/300 entries.*256 to 65536/), fallback: false });
  });

  it('runs the guest and shows its console and state', async () => {
    const page = await started();
    await page.until(() => (page.console.includes('lab> ') ? true : undefined));
    page.session.receive({ type: 'console', text: 'help\r' });
    await page.until(() => (/lab> [\s\S]*lab> $/.test(page.console) ? true : undefined));
    expect(page.state).toMatchObject({
      run: 'running',
      guest: 'memlab',
      canUndo: false,
      historyAt: 0,
      changeSet: { open: false, entries: [] },
    });
    expect(page.state!.slots.map((slot) => slot.kind)).toContain('rom');
    expect((await page.first('figures')).figures.instructions).toBeGreaterThan(0);
  });

  it('says why it cannot', async () => {
    page = new Page();
    page.boot({ coreUrl: 'https://lab.example/nope.wasm' });
    expect(await page.first('boot-error')).toEqual({
      type: 'boot-error',
      reason: 'HTTP 404 for https://lab.example/nope.wasm',
      fallback: false,
    });
    page = new Page();
    page.boot({ config: { ...config, ram: 1000 } });
    expect(await page.first('boot-error')).toMatchObject({ reason: expect.stringContaining('1000'), fallback: false });
  });

  it('boots with the layout of a link, regardless of its -m', async () => {
    const other = await testMachine({ ram: 32 * MIB, slots: 4, maxmem: 512 * MIB });
    other.backends.add('m1', 128 * MIB);
    other.dimms.plug({ id: 'd1', memdev: 'm1', addr: 2 ** 32 });
    const link = await packLink(layoutText(captureLayout(other)), 'https://lab.example/');
    const page = await started({ link: link.slice(link.indexOf('#')) });
    expect(page.heard.some((message) => message.type === 'boot-error')).toBe(false);
    expect(page.state!.config).toMatchObject({ ram: 32 * MIB, slots: 4 });
    expect(page.state!.dimms.map((dimm) => dimm.id)).toEqual(['d1']);
  });

  it('loads the guest into the memory that the layout leaves', async () => {
    const other = await testMachine({ ...config });
    const [a, b] = [other.memory.memslotById(3)!, other.memory.memslotById(4)!];
    // The upper half of boot RAM moves up, so the guest's memory map has a gap.
    other.changeSet.begin();
    other.changeSet.stage({ op: 'move', slot: b.slot, gpa: 0x8000000 });
    expect((await other.changeSet.commit()).ok).toBe(true);
    const page = await started({ layout: layoutText(captureLayout(other)) });
    expect(page.heard.some((message) => message.type === 'boot-error')).toBe(false);
    await page.until(() => (page.console.includes('in 3 ranges') ? true : undefined));
    await page.session.end();
    // Without RAM at 1 MiB no guest can be loaded.
    other.changeSet.begin();
    other.changeSet.stage({ op: 'del', slot: a.slot });
    expect((await other.changeSet.commit()).ok).toBe(true);
    const refused = await started({ layout: layoutText(captureLayout(other)) });
    expect(await refused.first('boot-error')).toMatchObject({ fallback: true });
    await refused.until(() => (refused.console.includes('lab> ') ? true : undefined));
  });

  it('starts the default when the link is refused, with the reason', async () => {
    for (const [link, reason] of [
      ['#l=1.AAAA', /cut off/],
      ['#l=1.<img>', /not of the form/],
      [`#${(await packLink('{"format":"x"}', '')).split('#')[1]}`, /^format is "x"/],
    ] as const) {
      const page = await started({ link });
      expect(await page.first('boot-error')).toMatchObject({ reason: expect.stringMatching(reason), fallback: true });
      expect(page.state!.config.ram).toBe(64 * MIB);
      await page.session.end();
    }
    const huge = captureLayout(await testMachine());
    huge.machine.ram = 2 ** 32;
    const page = await started({ layout: layoutText(huge) });
    expect(await page.first('boot-error')).toMatchObject({ reason: expect.stringContaining('4294967296'), fallback: true });
    const plain = await started({ link: '#guide=1' });
    expect(plain.heard.some((message) => message.type === 'boot-error')).toBe(false);
  });
});

describe('requests', () => {
  it('before the machine exists are answered with an error', async () => {
    page = new Page();
    expect((await page.ask({ type: 'monitor', line: 'help' })).error).toBe('the machine has not started yet');
    expect((await page.ask({ type: 'complete', line: 'he' })).error).toBe('the machine has not started yet');
    page.session.receive({ type: 'console', text: 'x' });
    expect(await page.first('monitor-event')).toEqual({ type: 'monitor-event', text: 'Error: the machine has not started yet' });
  });

  it('report once what part of a paste was dropped when the guest reads nothing, in the monitor and as a notice', async () => {
    const page = await started();
    await page.monitor('stop');
    for (let n = 0; n < 3; n++) page.session.receive({ type: 'console', text: 'x'.repeat(1 << 20) });
    const text = /^Console input: 1 MiB is waiting for the guest, which does not read it; \d+ bytes were dropped\.$/;
    expect((await page.first('notice')).text).toMatch(text);
    expect(page.heard.filter(({ type }) => type === 'notice')).toHaveLength(1);
    expect(page.heard.some((message) => message.type === 'monitor-event' && text.test(message.text))).toBe(true);
    await page.monitor('cont');
    const more = await page.until(() =>
      page.heard.find((message): message is Of<'notice'> => message.type === 'notice' && message.text.includes('accepts input again')),
    );
    expect(more.text).toBe('Console input: 1048576 bytes more were dropped; the guest accepts input again.');
  });

  it('answer the monitor and completion', async () => {
    const page = await started();
    expect(await page.monitor('info status')).toBe('VM status: running\n');
    expect(await page.monitor('foo')).toBe("unknown command: 'foo'\n");
    expect((await page.ask({ type: 'complete', line: 'info memsl' })).value).toEqual(['memslots']);
  });

  it('stage, refuse, commit, undo and redo, with a new state each time', async () => {
    const page = await started();
    expect(await page.ask({ type: 'stage', action: { do: 'begin' } })).toMatchObject({ value: '' });
    expect(await page.ask({ type: 'stage', action: { do: 'begin' } })).toMatchObject({ error: expect.stringContaining('already open') });
    await page.ask({ type: 'stage', action: { do: 'stage', edit: { op: 'add', slot: 40, gpa: 0, size: MIB, hva: 0, flags: 0 } } });
    expect(await page.ask({ type: 'stage', action: { do: 'commit', legacy: false } })).toMatchObject({
      error: expect.stringMatching(/^entry 1: EEXIST: /),
    });
    await page.until(() => (page.state!.changeSet.entries[0]?.refusals.length ? true : undefined));
    await page.ask({ type: 'stage', action: { do: 'drop', index: 0 } });
    await page.ask({ type: 'stage', action: { do: 'stage', edit: { op: 'add', slot: 40, gpa: 2 ** 40, size: MIB, hva: 0, flags: 0 } } });
    await page.until(() => (page.state!.changeSet.preview?.some((region) => region.slot === 40) ? true : undefined));
    expect(await page.ask({ type: 'stage', action: { do: 'commit', legacy: false } })).toMatchObject({ value: '' });
    await page.until(() => (page.state!.historyAt === 1 ? true : undefined));
    expect(page.state!.slots.find((slot) => slot.slot === 40)).toMatchObject({ guestPhysAddr: 2 ** 40, name: 'bare.40', kind: 'bare' });
    expect(page.state!.history[1]).toMatchObject({ title: '+ 40 bare.40', changed: [40], legacy: false });
    expect(await page.ask({ type: 'call', method: 'undo' })).toMatchObject({ value: '' });
    await page.until(() => (page.state!.canRedo ? true : undefined));
    expect(page.state!.slots.some((slot) => slot.slot === 40)).toBe(false);
    expect(await page.ask({ type: 'call', method: 'redo' })).toMatchObject({ value: '' });
    expect(await page.ask({ type: 'call', method: 'redo' })).toMatchObject({ error: 'nothing to redo' });
  });

  it('a commit phase by phase, a running guest waiting in between, and the way back in one commit', async () => {
    const page = await started();
    for (const id of ['1', '2']) {
      await page.monitor(`object_add memory-backend-ram,id=m${id},size=128M`);
      await page.monitor(`device_add pc-dimm,id=d${id},memdev=m${id}`);
    }
    await page.until(() => (page.state!.slots.filter((slot) => slot.kind === 'dimm').length === 2 ? true : undefined));
    const [a, b] = page.state!.slots.filter((slot) => slot.kind === 'dimm');
    expect(page.state!.history.map((entry) => entry.title)).toEqual(['power on', '+ d1', '+ d2']);
    expect(page.state!.history[2]!.us).toBeGreaterThan(0);
    page.session.receive({ type: 'console', text: `watch 0x${a!.guestPhysAddr.toString(16)}\r` });
    await page.until(() => (page.console.includes('any key ends') ? true : undefined));
    const stage = async (action: StageAction): Promise<unknown> => (await page.ask({ type: 'stage', action })).error ?? '';
    await stage({ do: 'begin' });
    await stage({ do: 'stage', edit: { op: 'move', slot: a!.slot, gpa: b!.guestPhysAddr } });
    await stage({ do: 'stage', edit: { op: 'move', slot: b!.slot, gpa: a!.guestPhysAddr } });
    expect(await stage({ do: 'step' })).toMatch('no stepped commit is running');
    expect(await stage({ do: 'commit-stepped' })).toBe('');
    expect(page.state!.stepping).toMatchObject({ phase: 'validate', done: [], canAbort: true });
    await stage({ do: 'step' });
    expect(page.state!.stepping).toMatchObject({ phase: 'prepare', swaps: 2, zappedPages: 65536 });
    for (const _ of ['prepare', 'swap1', 'zap']) expect(await stage({ do: 'step' })).toBe('');
    expect(page.state!.stepping).toMatchObject({ phase: 'swap2', invalid: [a!.slot, b!.slot], canAbort: false });
    expect(page.state!.slots.find((slot) => slot.slot === a!.slot)).toEqual(a);
    await page.until(() => (page.state!.stepping!.retries > 3 ? true : undefined));
    expect(await stage({ do: 'abort' })).toMatch('past swap 1');
    expect(await stage({ do: 'zap', mode: 'all' })).toMatch('between its phases');
    expect(await page.ask({ type: 'call', method: 'undo' })).toMatchObject({ error: expect.stringContaining('between its phases') });
    expect(await stage({ do: 'finish' })).toBe('');
    expect(page.state!.stepping).toBeUndefined();
    expect(page.state!.history.at(-1)).toMatchObject({ title: `${a!.slot} <-> ${b!.slot}`, swaps: 2, holes: 0 });
    expect(await stage({ do: 'zap', mode: 'all' })).toBe('');
    expect(page.state!.zap).toBe('all');
    const from = page.state!.generation;
    expect(await page.ask({ type: 'go-to', index: 0 })).toMatchObject({ value: '' });
    expect(page.state).toMatchObject({ historyAt: 0, generation: from + 4, canUndo: false, canRedo: true });
    expect(page.state!.slots.some((slot) => slot.kind === 'dimm')).toBe(false);
    expect(await page.ask({ type: 'go-to', index: 3 })).toMatchObject({ value: '' });
    expect(page.state).toMatchObject({ historyAt: 3, canRedo: false });
    expect(page.state!.history).toHaveLength(4);
    expect(await page.ask({ type: 'go-to', index: 9 })).toMatchObject({ error: 'nothing to redo' });
  });

  it('save a layout through the page and bring it back', async () => {
    const page = await started();
    await page.monitor('object_add memory-backend-ram,id=m1,size=128M');
    await page.monitor('device_add pc-dimm,id=d1,memdev=m1');
    expect(await page.monitor('layout_save mine')).toBe('');
    const saved = page.saved.get('mine')!;
    await page.until(() => (page.state!.dimms.length === 1 ? true : undefined));
    const before = regions(page);
    await page.session.end();
    const fresh = await started();
    fresh.saved.set('mine', saved);
    expect(await fresh.monitor('layout_load mine')).toBe('');
    await fresh.until(() => (fresh.state!.dimms.length === 1 ? true : undefined));
    expect(regions(fresh)).toEqual(before);
    expect(await fresh.monitor('undo')).toMatch(/^undid "layout mine": generation \d+/);
    expect(fresh.state!.slots).toHaveLength(5);
    expect(await fresh.monitor('redo')).toMatch(/^redid "layout mine"/);
    expect(regions(fresh)).toEqual(before);
    fresh.storageError = 'no room left';
    expect(await fresh.monitor('layout_save other')).toBe('Error: no room left\n');
  });

  it('share a link that another session opens', async () => {
    const page = await started();
    await page.monitor('memslot_add 40 1T 2M');
    const link = String((await page.ask({ type: 'call', method: 'share' })).value);
    expect(await page.monitor('share')).toBe(`${link}\n`);
    const layout = (await page.ask({ type: 'call', method: 'layout' })).value as { memslots: { slot: number }[] };
    expect(layout.memslots.some((slot) => slot.slot === 40)).toBe(true);
    const shown = page.state!.slots.map(({ slot, guestPhysAddr, memorySize, name }) => [slot, guestPhysAddr, memorySize, name]);
    await page.session.end();
    const other = await started({ link: link.slice(link.indexOf('#')) });
    expect(other.state!.slots.map(({ slot, guestPhysAddr, memorySize, name }) => [slot, guestPhysAddr, memorySize, name])).toEqual(shown);
  });

  it('a slow query delays neither the guest nor the monitor', async () => {
    const page = await started();
    await page.until(() => (page.console.endsWith('lab> ') ? true : undefined));
    const bench = page.ask({ type: 'query', query: { ask: 'index-bench', slots: 2000 } });
    const answered: string[] = [];
    const told = Promise.all([
      bench.then(() => answered.push('bench')),
      page.ask({ type: 'monitor', line: 'info status' }).then(() => answered.push('monitor')),
    ]);
    page.session.receive({ type: 'console', text: 'help\r' });
    await page.until(() => (/lab> help[\s\S]*lab> $/.test(page.console) ? true : undefined));
    answered.push('guest');
    await told;
    expect(answered.at(-1)).toBe('bench');
    expect((await bench).value).toMatchObject({ slots: 2000, rows: [{ index: 'array' }, { index: 'rbtree' }, { index: 'btree' }] });
  });

  it('stop, step and run; the digest of a stopped machine stays', async () => {
    const page = await started();
    page.session.receive({ type: 'run', action: 'stop' });
    await page.until(() => (page.state!.run === 'paused' ? true : undefined));
    // The guest waits for input: without any, a step would find nothing to run.
    page.session.receive({ type: 'console', text: 'x' });
    const digest = (await page.ask({ type: 'call', method: 'digest' })).value;
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect((await page.ask({ type: 'call', method: 'digest' })).value).toBe(digest);
    page.session.receive({ type: 'run', action: 'step' });
    expect((await page.ask({ type: 'call', method: 'digest' })).value).not.toBe(digest);
    page.session.receive({ type: 'run', action: 'cont' });
    await page.until(() => (page.state!.run === 'running' ? true : undefined));
    expect(await page.monitor('quit')).toBe('');
    expect(await page.first('quit')).toEqual({ type: 'quit', status: 0 });
  });
});

describe('machine snapshots', () => {
  it('are kept by the page, and one that is damaged there leaves the guest running', async () => {
    const fresh = await started();
    await fresh.monitor('stop');
    const digest = await fresh.monitor('info digest');
    expect(await fresh.monitor('savevm one')).toBe('');
    expect(await fresh.monitor('info snapshots')).toContain('one');
    await fresh.monitor('memslot_add 9 0x10000000000 1M');
    await fresh.monitor('cont');
    expect(await fresh.monitor('loadvm one')).toBe('');
    await fresh.monitor('stop');
    expect(fresh.state?.slots.some(({ slot }) => slot === 9)).toBe(false);
    expect(fresh.state?.history.map(({ title }) => title)).toEqual(['loaded from one']);
    await fresh.monitor('loadvm one');
    expect(await fresh.monitor('info digest')).toBe(digest);
    const { bytes } = fresh.snapshots.get('one')!;
    bytes[bytes.length - 40]! ^= 1;
    expect(await fresh.monitor('loadvm one')).toMatch(/^Error: snapshot 'one' refused: [^\n]+\n$/);
    expect(await fresh.monitor('info digest')).toBe(digest);
  });
});
