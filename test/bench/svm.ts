/**
 * `npm run bench:svm [-- ROUNDS]`: what nested virtualization costs, here and under QEMU's TCG in the same run: a VMRUN with its #VMEXIT, and a loop
 * over memory in a nested guest compared with the same loop outside it. Medians. Targets: a round trip under 2 us, nested code at 0.8 of the plain
 * speed or more.
 */
import { cpus, loadavg } from 'node:os';
import type { Contender } from './contender';
import { CORE, read } from './files';
import { startLab } from './lab';
import { qemuVersion, startQemu } from './qemu';
import { median } from './statistics';
import { ROUND_TRIPS, svmImage } from './svm-image';

const TARGET_US = 2;
const TARGET_SHARE = 0.8;
const LETTERS = ['a', 'b', 'c'] as const;

async function contenders(): Promise<Contender[]> {
  const image = new Uint8Array(svmImage());
  const core = read(CORE);
  const list = [
    await startLab({ core, image, bits: 64, accel: 'interp', cpu: 'lab64-svm' }),
    await startLab({ core, image, bits: 64, accel: 'jit', cpu: 'lab64-svm' }),
  ];
  const qemu = qemuVersion();
  if (qemu === undefined) console.log('QEMU is not installed: left out');
  else list.push(await startQemu(image, 64, 'qemu64,+svm,+npt'));
  return list;
}

async function main(argument = '5'): Promise<number> {
  const rounds = Number(argument);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 99) throw new Error(`${argument}: ROUNDS must be a number from 1 to 99`);
  const list = await contenders();
  const ms = list.map(() => ({ a: [] as number[], b: [] as number[], c: [] as number[] }));
  // Round 0 warms the wasm engine's tiers up and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const letter of LETTERS) {
      const sums = new Set<string>();
      for (const [i, contender] of list.entries()) {
        const measured = await contender.run(letter);
        sums.add(measured.checksum);
        if (round > 0) ms[i]![letter].push(measured.ms);
      }
      if (sums.size > 1) throw new Error(`workload ${letter}: the emulators do not agree: ${[...sums].join(', ')}`);
    }
  }
  await Promise.all(list.map((contender) => contender.close()));
  console.log(`${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}, Node ${process.versions.node}; medians of ${rounds} rounds`);
  const rows = list.map(({ name }, i) => {
    const { a, b, c } = ms[i]!;
    return { name, us: (median(a) * 1000) / ROUND_TRIPS, plain: median(b), nested: median(c), share: median(b) / median(c) };
  });
  for (const { name, us, plain, nested, share } of rows)
    console.log(
      `${name.padEnd(28)} VMRUN and #VMEXIT ${us.toFixed(2)} us; loop ${plain.toFixed(0)} ms, nested ${nested.toFixed(0)} ms: ${share.toFixed(2)} of its speed`,
    );
  const ours = rows[1]!;
  const met = ours.us < TARGET_US && ours.share >= TARGET_SHARE;
  console.log(`targets (under ${TARGET_US} us, at least ${TARGET_SHARE}): ${met ? 'met' : 'missed'}`);
  return met ? 0 : 1;
}

process.exitCode = await main(process.argv[2]);
