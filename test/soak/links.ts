import { captureLayout, layoutText, loadLayout, packLink, unpackLink } from '../../engine/snapshot/index';
import { Guest, rootFile } from '../guests/harness';
import type { Soak } from './soak';

const LINKS = 10_000;
const REPORT_EVERY = 1000;
/** A link that holds a browser up for longer than this is an attack that works, ms. */
const SLOWEST = 2000;
const MIB = 1 << 20;
const SEED = 20210201;

class Random {
  constructor(private state: number) {}

  /** 0 <= result < n (xorshift32) */
  below(n: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % n;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

const hostileValues: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1,
  0.5,
  4095,
  2 ** 31,
  2 ** 32,
  2 ** 46,
  2 ** 53,
  1e300,
  '',
  'x'.repeat(100_000),
  '<img src=x onerror=alert(1)>',
  '__proto__',
  'constructor',
  [],
  {},
  [[]],
  { __proto__: { size: 1 } },
  '0x1000',
  'ram.a',
  '\u0000',
  '\ud800',
]; // prettier-ignore

/** Every container of a JSON value with its keys. */
function containers(value: unknown): { holder: Record<string, unknown>; key: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...containers(holder[key])]);
}

/** Changes, drops or doubles one to three members of the layout. */
function mutateValues(text: string, random: Random): string {
  const value: unknown = JSON.parse(text);
  for (let n = 1 + random.below(3); n > 0; n--) {
    const all = containers(value);
    if (all.length === 0) break;
    const { holder, key } = random.of(all);
    const old = holder[key];
    const kind = random.below(5);
    if (kind === 0) delete holder[key];
    else if (kind === 1 && typeof old === 'number') holder[key] = old + random.of([-1, 1, 4096, -4096, 2 ** 20, 2 ** 40]);
    else if (kind === 2 && Array.isArray(holder)) holder.push(structuredClone(old));
    else if (kind === 3) holder[`${key}x`] = old;
    else holder[key] = random.of(hostileValues);
  }
  return JSON.stringify(value);
}

function mutateCharacters(text: string, random: Random, alphabet: string): string {
  let result = text;
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = random.below(result.length + 1);
    const kind = random.below(4);
    const character = alphabet[random.below(alphabet.length)]!;
    if (kind === 0) result = result.slice(0, at);
    else if (kind === 1) result = result.slice(0, at) + result.slice(at + 1 + random.below(8));
    else if (kind === 2) result = result.slice(0, at) + character + result.slice(at);
    else result = result.slice(0, at) + character + result.slice(at + 1);
  }
  return result;
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const JSON_CHARACTERS = '{}[]",:0123456789-eE.\\u truefalsn';

/** A mutated link: damaged itself, or whole with a damaged layout inside. */
async function mutatedLink(text: string, random: Random): Promise<string> {
  const kind = random.below(3);
  if (kind === 0) return mutateCharacters((await packLink(text, '')).slice(1), random, `${BASE64URL}=.#%<`);
  const inside = kind === 1 ? mutateCharacters(text, random, JSON_CHARACTERS) : mutateValues(text, random);
  return (await packLink(inside, '')).slice(1);
}

async function plainMachine(): Promise<Guest> {
  return Guest.boot({ guest: { name: 'memlab', kernel: rootFile('guests/memlab/memlab.elf') }, ram: 16 * MIB, slots: 8, maxmem: 2 ** 40 });
}

/** A layout with something of everything: DIMMs, one of them split, a bare slot, a read-only one. */
async function sampleLayout(): Promise<string> {
  const { machine } = await plainMachine();
  for (const [id, addr] of [
    ['a', 0x10000000],
    ['b', 2 ** 36],
  ] as const) {
    machine.addBackend(`${id}-ram`, 8 * MIB);
    machine.plugDimm({ id, memdev: `${id}-ram`, addr });
  }
  machine.memory.splitMemslot(machine.memory.memslotAt(0x10000)!.slot, 0x10400000, 60);
  const userspaceAddr = machine.allocateHost(MIB, 'bare');
  machine.memory.setUserMemoryRegion({ slot: 61, flags: 2, guestPhysAddr: 0x20000000, memorySize: MIB, userspaceAddr });
  return layoutText(captureLayout(machine));
}

/** Loads what the link carries, as the page does; the reason where it is refused. */
async function open(guest: Guest, link: string): Promise<string | undefined> {
  const unpacked = await unpackLink(link);
  return unpacked.ok ? loadLayout(guest.machine, unpacked.text) : unpacked.reason;
}

function checkReason(reason: string): void {
  if (reason === '' || /[\r\n]/.test(reason) || reason.length > 1000)
    throw new Error(`the reason is not one clear line: ${JSON.stringify(reason.slice(0, 200))}`);
}

/** Mutated share links: each is refused with a reason and nothing changes, or is loaded as it says. */
export const links: Soak = {
  name: 'links',
  title: `${LINKS} mutated links, seed ${SEED}`,
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
        // Nothing that was loaded may weigh on the next one.
        guest = await plainMachine();
      } else {
        checkReason(reason);
        if (layoutText(captureLayout(guest.machine)) !== before)
          throw new Error(`link ${n} was refused (${reason}) but changed the layout`);
      }
      if (n % REPORT_EVERY === 0) say(`${n} links, ${accepted} of them still good layouts`);
    }
    return `${LINKS} links, ${LINKS - accepted} refused with a reason, ${accepted} loaded`;
  },
};
