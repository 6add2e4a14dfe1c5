/** Errors name the folder that cannot be written to, and the reason. */
import { expect, it } from 'vitest';
import { layoutStore } from './layout-store';
import { snapshotStore } from './snapshot-store';

it.each([
  ['/dev/null', 'File exists'],
  ['/dev/null/below', 'Not a directory'],
  ['/proc', 'No such file or directory'],
])('a store in %s', async (folder, why) => {
  const meta = { name: 's', size: 1, date: 0, vmClockNs: 0, icount: 0 };
  await expect(snapshotStore(folder).put('s', new Uint8Array(1), meta)).rejects.toThrow(`could not write file '${folder}/s.mslm': ${why}`);
  await expect(layoutStore(folder).set('l', '{}')).rejects.toThrow(`could not write file '${folder}/l.json': ${why}`);
});
