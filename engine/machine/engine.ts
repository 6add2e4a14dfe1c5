/** The memslot engine as this board sets it up: host memory is the core's, and a slot may only map what was handed out of it. */
import { HOST_BASE, PAGE_SIZE } from '../abi/layout';
import { MemslotEngine } from '../memory/index';
import type { MachineConfig } from './api';
import type { HostMemory } from './host-memory';

/** Bits of a guest-physical address that this board decodes. */
const PHYS_ADDR_BITS = 46;

export function makeEngine(
  host: HostMemory,
  index: MachineConfig['index'],
  clock: () => number,
  log: (text: string) => void,
): MemslotEngine {
  return new MemslotEngine({
    ...(index ? { index } : {}),
    hostBase: HOST_BASE,
    hostSize: host.limit,
    physAddrBits: PHYS_ADDR_BITS,
    clock,
    arch: {
      prepare(_old, next) {
        if (next && !host.covers(next.userspaceAddr, next.npages * PAGE_SIZE)) {
          const reason = `hva 0x${next.userspaceAddr.toString(16)}: no backend owns all of this host memory`;
          throw Object.assign(new Error(reason), { errno: 'EINVAL' });
        }
        return undefined;
      },
    },
    onListenerError: (error) => log(`memslots: ${error instanceof Error ? error.message : String(error)}`),
  });
}
