/** SHA-256 over the whole state of a machine: equal machines have equal digests, and any different byte changes it. */
import { PAGE_SIZE } from '../abi/layout';
import type { HostMemory, HostRange } from './host-memory';
import { hvaInDigest } from './saved-hvas';
import { sha256, sha256Hex } from './sha256';

/** Bytes of host memory that one partial digest covers. */
const CHUNK = 4 * 0x100000;

/**
 * `records`: the vCPUs'. `state`: devices and layout, as JSON values; the order of keys does not matter. RAM is every range of host memory; zero
 * pages only cost a scan. The machine must not run until this is done.
 */
export async function digestOf(host: HostMemory, records: readonly Uint8Array[], state: object): Promise<string> {
  const parts = await Promise.all([...records, new TextEncoder().encode(canonical(state))].map(sha256));
  for (const range of host.ranges()) {
    for (let start = range.start; start < range.start + range.size; start += CHUNK) {
      const bytes = packPages(host, range, start, Math.min(start + CHUNK, range.start + range.size));
      parts.push(await sha256(bytes));
    }
  }
  const all = new Uint8Array(parts.length * 32);
  parts.forEach((part, index) => {
    all.set(part, index * 32);
  });
  return sha256Hex(all);
}

/** The nonzero pages of [start, end), each after its hvaInDigest; nothing if all are zero. */
function packPages(host: HostMemory, range: HostRange, start: number, end: number): Uint8Array<ArrayBuffer> {
  const pages: number[] = [];
  for (let page = start; page < end; page += PAGE_SIZE) if (!isZeroPage(host.words, page)) pages.push(page);
  const packed = new Uint8Array(8 + pages.length * (PAGE_SIZE + 8));
  const view = new DataView(packed.buffer);
  view.setFloat64(0, range.size, true);
  pages.forEach((page, index) => {
    const at = 8 + index * (PAGE_SIZE + 8);
    view.setFloat64(at, hvaInDigest(page), true);
    packed.set(host.bytes.subarray(page, page + PAGE_SIZE), at + 8);
  });
  return packed;
}

export function isZeroPage(words: Uint32Array, hva: number): boolean {
  const first = hva >>> 2;
  for (let word = first; word < first + PAGE_SIZE / 4; word += 4) {
    if ((words[word]! | words[word + 1]! | words[word + 2]! | words[word + 3]!) !== 0) return false;
  }
  return true;
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
