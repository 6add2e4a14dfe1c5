import { expect, it } from 'vitest';
import { testMonitor } from './testing';

it('every commit that is shown can be undone, however many there were', async () => {
  const { monitor, machine } = await testMonitor();
  for (let i = 0; i < 300; i++) expect(await monitor.execute(`memslot_flags 3${i % 2 ? '' : ' -l'}`)).toBe('');
  const { commits } = monitor;
  expect(commits.entries()).toHaveLength(257);
  expect(commits.entries()[0]).toMatchObject({ title: 'earlier commits', generation: commits.entries()[1]!.generation - 2 });
  expect(await monitor.execute('undo 257')).toMatch(/cannot undo 257 commits: there are 256/);
  expect(await monitor.execute('undo 255')).toMatch(/^undid 255 commits/);
  expect(await monitor.execute('undo')).toMatch(/^undid "3 /);
  expect([commits.live, commits.canUndo]).toEqual([0, false]);
  expect(await monitor.execute('redo 256')).toMatch(/^redid 256 commits/);
  expect(machine.memory.memslotById(3)!.flags).toBe(0);
});

it('a change set of many calls is one commit to undo', async () => {
  const { monitor, machine } = await testMonitor();
  await monitor.execute('changeset_begin');
  for (let id = 10; id < 400; id++) await monitor.execute(`memslot_add ${id} ${0x20000000 + id * 4096} 4096`);
  expect(await monitor.execute('changeset_commit -l')).toMatch(/legacy/);
  expect(machine.memory.slotCount()).toBe(395);
  expect(await monitor.execute('undo')).toMatch(/^undid "\+ 10 /);
  expect(machine.memory.slotCount()).toBe(5);
});
