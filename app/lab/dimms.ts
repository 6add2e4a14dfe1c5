/** Names for DIMMs that a button plugs. */
import type { LabState } from '../../engine/worker/protocol';

/** The smallest number that neither a DIMM nor a backend is named by, and that is not in `taken`. */
export function freeDimmNumber(state: LabState | undefined, taken: readonly number[] = []): number {
  const used = new Set([...(state?.dimms ?? []).map((dimm) => dimm.id), ...(state?.backends ?? []).map((backend) => backend.id)]);
  let number = 1;
  while (used.has(`dimm${number}`) || used.has(`mem${number}`) || taken.includes(number)) number++;
  return number;
}
