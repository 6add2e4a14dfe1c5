import type { Memslot } from '../../engine/memory/types';
import { MIB } from '../guests/harness';
import { Linux, missing } from '../guests/linux';
import { Random } from '../support/random';
import type { Soak } from './soak';

const COMMITS = 200;
const REPORT_EVERY = 20;
const SEED = 20260811;
const PAGE = 4096;
/** Maximum guest instructions between two phases: far more than between two ticks of its timer. */
const BETWEEN = 3_000_000;
/** Maximum guest instructions to answer typed input. */
const ANSWER = 400e6;
/** First id for pieces of RAM. */
const PIECES = 200;
const MAX_PIECES = 12;

/** The memory of the kernel itself, including its code and page tables. */
function ramOf({ machine }: Linux): Memslot[] {
  const board = machine.backends.list().filter(({ kind, id }) => kind === 'board' && id.startsWith('ram.'));
  return board.flatMap(({ hva, size }) => machine.memory.memslotsByHva(hva, hva + size));
}

/** Stages another backing for at least one piece of RAM, and splits or merges others. */
function stageAtRandom(linux: Linux, random: Random): void {
  const { changeSet, memory } = linux.machine;
  const pieces = ramOf(linux).sort((a, b) => a.baseGfn - b.baseGfn);
  const moved = random.below(pieces.length);
  let next = PIECES;
  const freeId = (): number => {
    while (memory.memslotById(next)) next++;
    return next++;
  };
  changeSet.begin();
  pieces.forEach(({ slot, baseGfn, npages }, index) => {
    if (index === moved) changeSet.stage({ op: 'rehost', slot });
    else if (random.below(3) === 0 && npages > 256 && pieces.length < MAX_PIECES)
      changeSet.stage({ op: 'split', slot, gpa: (baseGfn + 1 + random.below(npages - 1)) * PAGE, newSlot: freeId() });
  });
}

/** Runs the guest for a random time; between the two swaps it stops when it accesses the INVALID slot. */
function live(linux: Linux, random: Random): void {
  for (let n = 0; n <= random.below(3); n++) linux.machine.run.advance(1 + random.below(BETWEEN));
}

function commitStepped(linux: Linux, random: Random, n: number): void {
  const { machine, guest } = linux;
  machine.changeSet.setZap(random.below(2) === 0 ? 'slot' : 'all');
  stageAtRandom(linux, random);
  guest.since();
  machine.changeSet.beginStepped();
  const typed = random.below(5);
  for (let phase = 0; machine.changeSet.stepping; phase++) {
    if (phase === typed) guest.type(`echo key$((${n}+0))\r`);
    live(linux, random);
    if (random.below(8) === 0) machine.nmi?.();
    machine.changeSet.step();
  }
  if (typed > 4) guest.type(`echo key$((${n}+0))\r`);
  const answer = guest.until(`key${n}\r\n`, ANSWER);
  if (!/key\d+\r\n(?:.*\n)*guest# /.test(answer)) guest.until('guest# ', ANSWER);
}

/**
 * Stock Linux whose own RAM gets other backings, phase by phase, while its timers fire, files are copied and compared, and keys are typed. No
 * interrupt may be lost, whatever happens between the two swaps.
 */
export const stepped: Soak = {
  name: 'stepped',
  title: `Linux: ${COMMITS} random stepped commits of its own RAM under timers, keys and a busy load, seed ${SEED}`,
  async run(say) {
    if (missing) throw new Error(missing);
    const random = new Random(SEED);
    const linux = await Linux.boot({ ram: 96 * MIB });
    linux.sh('mkdir -p /mnt/t; mount -t tmpfs -o size=24m t /mnt/t; dd if=/dev/urandom of=/mnt/t/f bs=1M count=6 2>&1');
    linux.sh('md5sum /mnt/t/f > /sum; echo 0 > /rounds; echo 0 > /ticks');
    linux.sh(
      '(while [ ! -e /stop ]; do cp /mnt/t/f /mnt/t/g && cmp /mnt/t/f /mnt/t/g && md5sum -c /sum > /dev/null || echo wrong >> /wrong; echo $(($(cat /rounds) + 1)) > /rounds; done) &',
    );
    linux.sh('(while [ ! -e /stop ]; do sleep 0.01; echo $(($(cat /ticks) + 1)) > /ticks; done) &');
    const { machine } = linux;
    for (let n = 1; n <= COMMITS; n++) {
      commitStepped(linux, random, n);
      if (n % REPORT_EVERY === 0) say(`${n} commits, ${machine.inspect.stats().retries} retries, RAM in ${ramOf(linux).length} slots`);
    }
    const figure = (file: string): number => Number(/^\d+$/m.exec(linux.sh(`cat ${file}`, 20e9))?.[0]);
    linux.sh('touch /stop; wait', 20e9);
    const [rounds, ticks] = [figure('/rounds'), figure('/ticks')];
    if (!(rounds > 0 && ticks > COMMITS / 4)) throw new Error(`the guest made no progress: ${rounds} rounds of checksums, ${ticks} ticks`);
    const wrong = linux.sh('cat /wrong');
    if (!/No such file/.test(wrong)) throw new Error(`the guest read wrong bytes: ${wrong}`);
    if (!(machine.inspect.stats().retries! > 0)) throw new Error('the guest never accessed an INVALID slot');
    const complaints = linux.complaints().filter((line) => !/NMI received for unknown reason/.test(line));
    if (complaints.length > 0) throw new Error(`the kernel complains: ${complaints.join('; ')}`);
    return `${rounds} rounds of checksums and ${ticks} ticks were right, ${machine.inspect.stats().retries} retries`;
  },
};
