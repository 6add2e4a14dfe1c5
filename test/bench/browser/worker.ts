/** The lab in a worker, as the page runs it. The first message starts it, each later one is the letter of a workload. */
import type { Contender } from '../contender';
import { type LabRequest, startLab } from '../lab';

let contender: Promise<Contender> | undefined;

addEventListener('message', async ({ data }: MessageEvent<LabRequest | string>) => {
  try {
    if (typeof data === 'string') postMessage({ measured: await (await contender)?.run(data) });
    else {
      contender = startLab(data);
      postMessage({ name: (await contender).name });
    }
  } catch (error) {
    postMessage({ error: String(error) });
  }
});
