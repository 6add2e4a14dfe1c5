/** The memslot engine as configured for this board: host memory is the core's, and backing-rule.ts decides what a slot may map. */
import { HOST_BASE } from '../abi/layout';
import { MemslotEngine } from '../memory/index';
import type { MachineConfig } from './api';
import { makeBackingRule } from './backing-rule';
import type { HostMemory } from './host-memory';

/** Bits of a guest-physical address that this board decodes. */
const PHYS_ADDR_BITS = 46;

/** Commits that undo can revert. A legacy change set counts once for each of its calls. */
const HISTORY = 4096;

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
    backings: makeBackingRule(host),
    historyLimit: HISTORY,
    onListenerError: (error) => log(`memslots: ${error instanceof Error ? error.message : String(error)}`),
  });
}
