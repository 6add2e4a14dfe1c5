/**
 * Host pages written since the last checkpoint of the machine. Until a page's first write its write tags carry bit 0 (tlb/retag.ts), so that only this write
 * takes the slow path.
 */
import { CHANGED_PAGES, CHANGED_PAGES_SIZE } from '../abi/index';

export let tracking: bool = false;

export function isChanged(host: usize): bool {
  return ((load<u8>(<usize>CHANGED_PAGES + (host >> 15)) >> (<u8>(host >> 12) & 7)) & 1) != 0;
}

/** The page of this host address is being written. */
export function noteChanged(host: usize): void {
  const byte = <usize>CHANGED_PAGES + (host >> 15);
  store<u8>(byte, load<u8>(byte) | <u8>((<u32>1) << ((<u32>host >> 12) & 7)));
}

/** Notes a write by TypeScript. The order does not matter. */
export function noteRange(host: usize, length: usize): void {
  if (!tracking || length == 0) return;
  for (let page = host >> 12; page <= (host + length - 1) >> 12; page++) noteChanged(page << 12);
}

/** Clears the notes, and switches noting on or off. The caller updates the TLBs. */
export function startTracking(on: bool): void {
  tracking = on;
  memory.fill(CHANGED_PAGES, 0, CHANGED_PAGES_SIZE);
}
