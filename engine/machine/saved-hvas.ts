/**
 * hvas outside of the machine that they are of. In snapshot files, links and digests they count from where host memory begins, so that the core's
 * private map, which lies below HOST_BASE, may grow. All that converts them is here.
 */
import { HOST_BASE, PAGE_SIZE } from '../abi/layout';

/**
 * HOST_BASE when files, links and digests were first written, with absolute hvas: what version 1 of files and links counts by. A digest adds it
 * to every offset, so digests that were written down stay true.
 */
export const FIRST_HOST_BASE = 0x2000000;

/** Where host memory begins in a file or link of this version. */
export const hostBaseOf = (version: number): number => (version === 1 ? FIRST_HOST_BASE : 0);

/** The number that represents an hva in a digest. */
export const hvaInDigest = (hva: number): number => hva - HOST_BASE + FIRST_HOST_BASE;

/** A SavedMachine of this program, as a file has it in which host memory begins at `base`. */
export const machineTo = (base: number, machine: unknown): unknown => moved(machine, MACHINE, base - HOST_BASE);

/** The reverse. The machine may be anything: what is no hva is left for the checks to refuse. */
export const machineFrom = (base: number, machine: unknown): unknown => moved(machine, MACHINE, HOST_BASE - base);

/** A page number of host memory (hva / 4096), as such a file has it. */
export const pageTo = (base: number, page: number): number => page + (base - HOST_BASE) / PAGE_SIZE;

/** The reverse. */
export const pageFrom = (base: number, page: number): number => page + (HOST_BASE - base) / PAGE_SIZE;

/** Where the hvas of a value are: 'hva', or the members that hold some; of a list, in each element. */
type Place = 'hva' | { readonly [member: string]: Place };

const MACHINE: Place = {
  ranges: { start: 'hva' },
  backends: { hva: 'hva' },
  slots: { hva: 'hva' },
  dimms: { plugged: { hva: 'hva' }, ejected: { hva: 'hva' } },
};

function moved(value: unknown, place: Place, by: number): unknown {
  if (place === 'hva') return typeof value === 'number' ? value + by : value;
  if (Array.isArray(value)) return value.map((each) => moved(each, place, by));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([member, inner]) => [member, Object.hasOwn(place, member) ? moved(inner, place[member]!, by) : inner]),
  );
}
