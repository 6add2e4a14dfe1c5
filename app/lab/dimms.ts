/** DIMMs that a button plugs: their names, and the two commands. */
import type { LabState } from '../../engine/worker/protocol';
import type { Lab } from './lab.svelte';

/** The smallest number that no DIMM and no backend uses as its name, and that is not in `taken`. */
export function freeDimmNumber(state: LabState | undefined, taken: readonly number[] = []): number {
  const used = new Set([...(state?.dimms ?? []).map((dimm) => dimm.id), ...(state?.backends ?? []).map((backend) => backend.id)]);
  let number = 1;
  while (used.has(`dimm${number}`) || used.has(`mem${number}`) || taken.includes(number)) number++;
  return number;
}

/**
 * Makes a backend of `size` (as the monitor parses it) and plugs it; returns the DIMM's name. Rejects with the monitor's refusal and then leaves
 * nothing behind.
 */
export async function plugDimm(lab: Lab, size: string): Promise<string> {
  const number = freeDimmNumber(lab.state);
  await lab.command(`object_add memory-backend-ram,id=mem${number},size=${size}`);
  try {
    await lab.command(`device_add pc-dimm,id=dimm${number},memdev=mem${number}`);
  } catch (error) {
    await lab.command(`object_del mem${number}`);
    throw error;
  }
  return `dimm${number}`;
}
