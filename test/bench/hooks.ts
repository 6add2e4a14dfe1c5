/**
 * What the hooks of trace, debuggers and checkpoints cost while nothing uses them: today's build beside the same sources without them, on the
 * workloads that pass most of them. Processor time, in processes of their own that take turns; what counts is the geometric mean of the
 * workloads' medians: where the host's compiler puts a function shifts a single one by 5 % and more in either direction.
 */
import { buildOf, CORE } from './files';
import { buildImage, imagePath } from './images';
import { startProcess } from './process';
import { geometricMean, median } from './statistics';
import { coreWithout } from './without-hooks';
import { workloads } from './workload-names';

const NAMES = [
  'ALU loop',
  'records, strings',
  'REP MOVS',
  'store loop 64 MiB',
  'INVLPG churn',
  'CR3 flush',
  'page faults',
  'port I/O',
  'INT from ring 0',
  'INT from ring 3',
  'SYSCALL',
] as const satisfies readonly (typeof workloads)[number][];
/** Nothing, as far as this can be measured. */
const MOST = 0.03;

const percent = (ratio: number): string => `${ratio < 1 ? '' : '+'}${((ratio - 1) * 100).toFixed(1)} %`;

/** Verdicts: reached or not, and the line that says so. */
export async function hooks(rounds: number): Promise<[boolean, string][]> {
  buildImage(64);
  const lab = { kind: 'lab', image: imagePath(64), bits: 64, processorTime: true, accel: 'jit' } as const;
  const cores = [CORE, coreWithout('trace'), coreWithout('hooks')];
  const contenders = await Promise.all(cores.map((core) => startProcess({ ...lab, core, engine: buildOf(core).engine })));
  // ratios[0]: over the build without the trace's hooks; ratios[1]: over the one without any.
  const ratios: number[][] = [[], []];
  for (const name of NAMES) {
    const letter = String.fromCharCode(97 + workloads.indexOf(name));
    const ms: number[][] = contenders.map(() => []);
    for (let round = 0; round <= rounds; round++) {
      const order = [...contenders.entries()];
      for (const [c, contender] of round % 2 ? order : order.reverse()) {
        const measured = await contender.run(letter);
        // Round 0 warms up.
        if (round > 0) ms[c]!.push(measured.ms);
      }
    }
    const over = [1, 2].map((other) => median(ms[0]!.map((time, round) => time / ms[other]![round]!)));
    over.forEach((ratio, i) => {
      ratios[i]!.push(ratio);
    });
    console.log(
      `hooks, ${name}: ${median(ms[0]!).toFixed(1)} ms, ${percent(over[0]!)} over a build without the trace's, ${percent(over[1]!)} over one without any`,
    );
  }
  for (const contender of contenders) await contender.close();
  return ratios.map((list, i) => {
    const mean = geometricMean(list);
    const what = i === 0 ? 'a trace that is off costs' : 'trace, breakpoints and checkpoints that are off cost';
    return [mean <= 1 + MOST, `${what} ${percent(mean)} of at most ${percent(1 + MOST)} (${list.length} workloads, geometric mean)`];
  });
}
