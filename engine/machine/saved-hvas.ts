/**
 * hvas outside of their machine. Snapshot files, links and digests count them from the start of host memory, so that the core's private map, below
 * HOST_BASE, may grow. All conversions are here.
 */
import { HOST_BASE, PAGE_SIZE } from '../abi/layout';

/**
 * HOST_BASE when files, links and digests were first written, with absolute hvas: the base of version 1 of files and links. A digest adds it to every
 * offset, so recorded digests stay valid.
 */
export const FIRST_HOST_BASE = 0x2000000;

/** Where host memory begins in a file or link of this version. */
export const hostBaseOf = (version: number): number => (version === 1 ? FIRST_HOST_BASE : 0);

/** The number that represents an hva in a digest. */
export const hvaInDigest = (hva: number): number => hva - HOST_BASE + FIRST_HOST_BASE;

/** A SavedMachine of this program in the form of a file in which host memory begins at `base`. */
export const machineTo = (base: number, machine: unknown): unknown => moved(machine, MACHINE, base - HOST_BASE);

/** The reverse. The machine may be anything: what is not an hva is left for the checks to refuse. */
export const machineFrom = (base: number, machine: unknown): unknown => moved(machine, MACHINE, HOST_BASE - base);

/** A page number of host memory (hva / 4096) in such a file. */
export const pageTo = (base: number, page: number): number => page + (base - HOST_BASE) / PAGE_SIZE;

/** The reverse. */
export const pageFrom = (base: number, page: number): number => page + (HOST_BASE - base) / PAGE_SIZE;

/** Where a value holds hvas: 'hva', or its members that do; for a list, in each element. */
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
