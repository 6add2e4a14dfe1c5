/** Finds free places for a guide's slots in the current layout, so that earlier changes do not get in its way. */
import type { LabState } from '../../../engine/worker/protocol';
import { Rooms } from '../workspace/rooms';

/** bytes: the guides stay below it, where memlab and every page table of its kind reaches */
const LIMIT = 2 ** 40;

/** The free guest-physical address nearest to `wanted` with room for `length` bytes; slots in `own` are the guide's and count as free. Undefined where there is none. */
export function freePlace(
  state: LabState,
  length: number,
  wanted: number,
  own: (slot: number) => boolean = () => false,
): number | undefined {
  const slots = state.slots
    .filter(({ slot }) => !own(slot))
    .map(({ slot, guestPhysAddr, memorySize }) => ({ slot, start: guestPhysAddr, end: guestPhysAddr + memorySize }));
  const devices = state.mmio.map(({ start, end }, index) => ({ slot: -1 - index, start, end }));
  const taken = [...slots, ...devices].sort((a, b) => a.start - b.start);
  return new Rooms(taken).nearest(length, wanted, LIMIT);
}
