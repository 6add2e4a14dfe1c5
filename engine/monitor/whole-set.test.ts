/** changeset_commit -w: the same edits by the whole-set call. */
import { describe, expect, it } from 'vitest';
import { testMonitor } from './testing';

async function staged() {
  const all = await testMonitor();
  for (const line of [
    'memslot_add 40 4G 2M',
    'memslot_add 41 0x100200000 2M',
    'changeset_begin',
    'memslot_move 40 0x100200000',
    'memslot_move 41 4G',
  ]) {
    expect(await all.monitor.execute(line)).toBe('');
  }
  return all;
}

const layout = ({ machine }: Awaited<ReturnType<typeof testMonitor>>) =>
  machine.memory.memslots().map(({ slot, baseGfn, npages, flags }) => [slot, baseGfn, npages, flags]);

describe('changeset_commit -w', () => {
  it('leads to the same layout as the delta call, with as many swaps, and is marked in the history', async () => {
    const [whole, delta] = [await staged(), await staged()];
    const told = await whole.monitor.execute('changeset_commit -w');
    expect(told).toMatch(/^generation \d+, 2 swaps, 1024 pages zapped\n$/);
    expect(await delta.monitor.execute('changeset_commit')).toBe(told);
    expect(layout(whole)).toEqual(layout(delta));
    expect(await whole.monitor.execute('info generations')).toMatch(/ whole .*41 <-> 40/);
    expect(await whole.monitor.execute('undo')).toMatch(/^undid "41 <-> 40"/);
  });

  it('is refused with the entry at fault, and changes nothing', async () => {
    const all = await staged();
    const before = layout(all);
    await all.monitor.execute('memslot_add 42 4G 4K');
    expect(await all.monitor.execute('changeset_commit -w')).toMatch(/EEXIST/);
    expect(layout(all)).toEqual(before);
    expect(all.machine.changeSet.open).toBe(true);
  });

  it('excludes the other ways', async () => {
    const all = await staged();
    expect(await all.monitor.execute('changeset_commit -w -l')).toBe(
      'Error: -l, -s and -w exclude each other: each is a different way to commit\n',
    );
    expect(all.machine.changeSet.entries).toHaveLength(2);
  });
});
