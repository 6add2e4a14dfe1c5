/** A breakpoint as address ranges that the core can watch. */
import * as watch from '../../abi/watch';
import type { Machine, Watch } from '../../machine/index';
import type { Accesses, Breakpoint } from './types';

const PAGE = 4096n;

function accessBits({ execute, read, write }: Accesses): number {
  return (execute ? watch.WATCH_EXEC : 0) | (read ? watch.WATCH_READ : 0) | (write ? watch.WATCH_WRITE : 0);
}

/** The ranges that the core must watch for it now. A slot's range is taken from the layout; a hole needs no watch. */
export function watchesOf({ place, access, waits }: Breakpoint, machine: Machine): Watch[] {
  if (waits) return [];
  const bits = accessBits(access);
  switch (place.kind) {
    case 'gva':
      return [range(bits, place.first, BigInt(place.length))];
    case 'gpa':
      return [range(bits | watch.WATCH_PHYSICAL, place.first, BigInt(place.length))];
    case 'hva':
      return machine.memory.memslots(0).flatMap(({ baseGfn, npages, userspaceAddr }) => {
        const [start, end] = [Number(place.first), Number(place.first) + place.length];
        const [from, to] = [Math.max(start, userspaceAddr), Math.min(end, userspaceAddr + npages * 4096)];
        return from < to ? [range(bits | watch.WATCH_PHYSICAL, BigInt(baseGfn * 4096 + from - userspaceAddr), BigInt(to - from))] : [];
      });
    case 'page':
      return [range(bits | watch.WATCH_PHYSICAL, place.first - (place.first % PAGE), PAGE)];
    case 'slot': {
      const slot = machine.memory.memslotById(place.slot, 0);
      return slot ? [range(bits | watch.WATCH_PHYSICAL, BigInt(slot.baseGfn) * PAGE, BigInt(slot.npages) * PAGE)] : [];
    }
    case 'port':
      return [range((bits & ~watch.WATCH_EXEC) | watch.WATCH_PORT, place.first, BigInt(place.length))];
    case 'msr':
      return [range((bits & ~watch.WATCH_EXEC) | watch.WATCH_MSR, place.first, BigInt(place.length))];
    case 'vector':
      return [range(watch.WATCH_VECTOR, place.first, BigInt(place.length))];
    case 'hole':
      return [];
  }
}

const range = (kind: number, first: bigint, length: bigint): Watch => ({ kind, first, last: BigInt.asUintN(64, first + length - 1n) });
