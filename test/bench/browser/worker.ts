/**
 * The lab in a worker, as the page runs it. The first message starts the machine or asks for the cost of commits; each later one is the letter of a
 * workload.
 */
import { type CommitCost, type CommitRequest, measureCommits } from '../commit-cost';
import type { Contender } from '../contender';
import { type LabRequest, startLab } from '../lab';

let contender: Promise<Contender> | undefined;

async function answer(asked: LabRequest | CommitRequest | string): Promise<unknown> {
  if (typeof asked === 'string') return { measured: await (await contender)?.run(asked) };
  if ('rounds' in asked) {
    const costs: CommitCost[] = [];
    await measureCommits(
      asked,
      () => performance.now(),
      (cost) => costs.push(cost),
    );
    return { costs };
  }
  contender = startLab(asked);
  return { name: (await contender).name };
}

addEventListener('message', async ({ data }: MessageEvent<LabRequest | CommitRequest | string>) => {
  postMessage(await answer(data).catch((error: unknown) => ({ error: String(error) })));
});
