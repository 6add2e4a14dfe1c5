import type { Memslot } from '../../engine/memory/types';
import { MIB } from '../guests/harness';
import { BLOCK, Linux, missing } from '../guests/linux';
import { Random } from '../support/random';
import type { Soak } from './soak';

const ROUNDS = 100;
const CHANGE_SETS = 1000;
const REPORT_EVERY = 100;
const SEED = 20260704;
const PAGE = 4096;
/** First id for pieces of a DIMM. */
const PIECES = 100;
const MAX_PIECES = 24;
/** Guest instructions between two change sets, at most. */
const SLICE = 8_000_000;

function piecesOf({ machine }: Linux, backend: string): Memslot[] {
  const { hva, size } = machine.backends.list().find(({ id }) => id === backend)!;
  return machine.memory.memslotsByHva(hva, hva + size).sort((a, b) => a.baseGfn - b.baseGfn);
}

/** Stages random splits, merges, dirty logging and a new backing; the guest must notice none of them. */
export async function changeAtRandom(linux: Linux, backend: string, random: Random): Promise<void> {
  const { changeSet, memory } = linux.machine;
  const pieces = piecesOf(linux, backend);
  let next = PIECES;
  const freeId = (): number => {
    while (memory.memslotById(next)) next++;
    return next++;
  };
  changeSet.begin();
  if (random.below(4) === 0) changeSet.stage({ op: 'rehost', slot: pieces[0]!.slot });
  for (let i = 0; i < pieces.length; i++) {
    const { slot, baseGfn, npages, flags } = pieces[i]!;
    const other = pieces[i + 1];
    const kind = random.below(4);
    if (kind === 0 && npages > 1 && pieces.length < MAX_PIECES)
      changeSet.stage({ op: 'split', slot, gpa: (baseGfn + 1 + random.below(npages - 1)) * PAGE, newSlot: freeId() });
    else if (kind === 1 && other && other.flags === flags) {
      changeSet.stage({ op: 'merge', slots: [slot, other.slot] });
      i++;
    } else if (kind === 2) changeSet.stage({ op: 'flags', slot, flags: flags ^ 1 });
  }
  const commit = await changeSet.commit();
  if (!commit.ok) throw new Error(commit.refusals.map(({ errno, reason }) => `${errno}: ${reason}`).join('; '));
}

async function changeSets(linux: Linux, say: (text: string) => void): Promise<void> {
  const random = new Random(SEED);
  linux.plug('d', BLOCK);
  linux.sh('sleep 1; mkdir -p /mnt/t; mount -t tmpfs -o size=100m t /mnt/t');
  linux.sh('dd if=/dev/urandom of=/mnt/t/f bs=1M count=16 2>&1; md5sum /mnt/t/f > /sum; echo 0 > /rounds');
  linux.sh(
    '(while [ ! -e /stop ]; do cp /mnt/t/f /mnt/t/g && cmp /mnt/t/f /mnt/t/g && md5sum -c /sum > /dev/null || echo wrong >> /wrong; echo $(($(cat /rounds) + 1)) > /rounds; done) &',
  );
  for (let n = 1; n <= CHANGE_SETS; n++) {
    await changeAtRandom(linux, 'd-ram', random);
    linux.machine.run.advance(1 + random.below(SLICE));
    if (n % REPORT_EVERY === 0) say(`${n} change sets, the memory is in ${piecesOf(linux, 'd-ram').length} slots`);
  }
  const rounds = Number(/^\d+$/m.exec(linux.sh('touch /stop; wait; cat /rounds', 20e9))?.[0]);
  if (!(rounds > 0)) throw new Error('no checksum was completed');
  const wrong = linux.sh('cat /wrong; umount /mnt/t; rm -f /stop');
  if (!/No such file/.test(wrong)) throw new Error(`the guest read wrong bytes: ${wrong}`);
  if (!linux.unplug('d')) throw new Error('the guest did not give the DIMM back');
  linux.machine.backends.delete('d-ram');
  say(`${rounds} rounds of checksums were right`);
}

function plugging(linux: Linux, say: (text: string) => void): void {
  const total = linux.meminfo('MemTotal');
  for (let n = 1; n <= ROUNDS; n++) {
    linux.plug('p', n % 2 === 0 ? BLOCK : 2 * BLOCK, n % 3 === 0 ? 2 ** 32 + (n % 5) * BLOCK : undefined);
    linux.sh('sleep 1; dd if=/dev/zero of=/tmp/z bs=1M count=8 2>&1; rm /tmp/z');
    if (!(linux.meminfo('MemTotal') >= total + 120 * MIB)) throw new Error(`round ${n}: the DIMM did not come online`);
    if (!linux.unplug('p')) throw new Error(`round ${n}: the guest did not give the DIMM back`);
    linux.machine.backends.delete('p-ram');
    if (n % 20 === 0) say(`${n} rounds of plugging and unplugging`);
  }
  if (linux.meminfo('MemTotal') !== total) throw new Error('MemTotal of the guest has changed');
}

/** Memory is plugged, unplugged and taken apart under a stock kernel that computes checksums. */
export const linux: Soak = {
  name: 'linux',
  title: `Linux: ${CHANGE_SETS} random change sets under a checksum loop, ${ROUNDS} rounds of plugging and unplugging, seed ${SEED}`,
  async run(say) {
    if (missing) throw new Error(missing);
    const guest = await Linux.boot({ ram: 96 * MIB });
    await changeSets(guest, say);
    plugging(guest, say);
    const complaints = guest.complaints();
    if (complaints.length > 0) throw new Error(`the kernel complains: ${complaints.join('; ')}`);
    return 'no wrong byte, no complaint of the kernel';
  },
};
