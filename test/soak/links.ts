import { captureLayout, layoutText, loadLayout, packLink, unpackLink } from '../../engine/snapshot/index';
import { Guest, rootFile } from '../guests/harness';
import { BASE64URL, JSON_CHARACTERS, mutateCharacters, mutateValues } from '../support/mutations';
import { Random } from '../support/random';
import { checkReason, openMutated } from './shared-links';
import type { Soak } from './soak';

const LINKS = 10_000;
const REPORT_EVERY = 1000;
/** A link that blocks a browser for longer than this is a successful attack, ms. */
const SLOWEST = 2000;
const MIB = 1 << 20;
const SEED = 20210201;

/** A mutated link: damaged itself, or intact with a damaged layout inside. */
async function mutatedLink(text: string, random: Random): Promise<string> {
  const kind = random.below(3);
  if (kind === 0) return mutateCharacters((await packLink(text, '')).slice(1), random, `${BASE64URL}=.#%<`);
  const inside = kind === 1 ? mutateCharacters(text, random, JSON_CHARACTERS) : mutateValues(text, random);
  return (await packLink(inside, '')).slice(1);
}

async function plainMachine(): Promise<Guest> {
  return Guest.boot({ guest: { name: 'memlab', kernel: rootFile('guests/memlab/memlab.elf') }, ram: 16 * MIB, slots: 8, maxmem: 2 ** 40 });
}

/** A layout with every kind of content: DIMMs, one of them split, a bare slot, a read-only one. */
async function sampleLayout(): Promise<string> {
  const { machine } = await plainMachine();
  for (const [id, addr] of [
    ['a', 0x10000000],
    ['b', 2 ** 36],
  ] as const) {
    machine.backends.add(`${id}-ram`, 8 * MIB);
    machine.dimms.plug({ id, memdev: `${id}-ram`, addr });
  }
  machine.memory.splitMemslot(machine.memory.memslotAt(0x10000)!.slot, 0x10400000, 60);
  const userspaceAddr = machine.host.allocate(MIB, 'bare');
  machine.memory.setUserMemoryRegion({ slot: 61, flags: 2, guestPhysAddr: 0x20000000, memorySize: MIB, userspaceAddr });
  return layoutText(captureLayout(machine));
}

/** Loads the link as the page does; returns the reason if it is refused. */
async function open(guest: Guest, link: string): Promise<string | undefined> {
  const unpacked = await unpackLink(link);
  return unpacked.ok ? loadLayout(guest.machine, unpacked.text) : unpacked.reason;
}

/** Mutated share links: each is refused with a reason and nothing changes, or is loaded as it says. */
export const links: Soak = {
  name: 'links',
  title: `${LINKS} mutated layout links, ${LINKS} state and replay links and files, seed ${SEED}`,
  async run(say) {
    const random = new Random(SEED);
    const sample = await sampleLayout();
    let guest = await plainMachine();
    let accepted = 0;
    for (let n = 1; n <= LINKS; n++) {
      const link = await mutatedLink(sample, random);
      const before = layoutText(captureLayout(guest.machine));
      const start = performance.now();
      const reason = await open(guest, link).catch((error) => {
        throw new Error(`link ${n} threw ${error}: ${link.slice(0, 2000)}`);
      });
      if (performance.now() - start > SLOWEST)
        throw new Error(`link ${n} took ${(performance.now() - start).toFixed(0)} ms: ${link.slice(0, 2000)}`);
      if (reason === undefined) {
        accepted++;
        // A loaded layout must not affect the next one.
        guest = await plainMachine();
      } else {
        checkReason(reason);
        if (layoutText(captureLayout(guest.machine)) !== before)
          throw new Error(`link ${n} was refused (${reason}) but changed the layout`);
      }
      if (n % REPORT_EVERY === 0) say(`${n} links, ${accepted} of them still good layouts`);
    }
    const shared = await openMutated(LINKS, SEED, say);
    return `${LINKS} layout links, ${LINKS - accepted} refused with a reason, ${accepted} loaded; ${shared}`;
  },
};
