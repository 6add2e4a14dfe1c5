import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import type { FromWorker } from '../../engine/worker/protocol';
import { answerStorage } from './storage';

type Request = Extract<FromWorker, { type: 'storage' }>;
const ask = (request: Omit<Request, 'type' | 'id'>) => answerStorage({ type: 'storage', id: 7, ...request }, 0);
const meta = (name: string, size: number) => ({ name, size, date: 1, vmClockNs: 2, icount: 3 });

describe('machine snapshots in IndexedDB', () => {
  it('are put, listed, replaced, read and deleted, beside saved layouts', async () => {
    const answer = { type: 'storage-result', id: 7 };
    expect(await ask({ op: 'set', key: 'one', value: '{}' })).toEqual(answer);
    expect(await ask({ op: 'snapshot-list' })).toEqual({ ...answer, snapshots: [] });
    expect(await ask({ op: 'snapshot-put', key: 'one', bytes: Uint8Array.of(1), meta: meta('one', 1) })).toEqual(answer);
    expect(await ask({ op: 'snapshot-put', key: 'two', bytes: Uint8Array.of(2, 2), meta: meta('two', 2) })).toEqual(answer);
    expect(await ask({ op: 'snapshot-put', key: 'one', bytes: Uint8Array.of(3, 3, 3), meta: meta('one', 3) })).toEqual(answer);
    expect(await ask({ op: 'snapshot-list' })).toEqual({ ...answer, snapshots: [meta('one', 3), meta('two', 2)] });
    expect(await ask({ op: 'snapshot-get', key: 'one' })).toEqual({ ...answer, bytes: Uint8Array.of(3, 3, 3) });
    expect(await ask({ op: 'snapshot-get', key: 'nope' })).toEqual(answer);
    expect(await ask({ op: 'snapshot-delete', key: 'one' })).toEqual(answer);
    expect(await ask({ op: 'snapshot-delete', key: 'one' })).toEqual(answer);
    expect(await ask({ op: 'snapshot-list' })).toEqual({ ...answer, snapshots: [meta('two', 2)] });
    expect(await ask({ op: 'keys' })).toEqual({ ...answer, keys: ['one'] });
  });
});
