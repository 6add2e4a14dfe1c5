/** The process of one contender (process.ts): the first message starts it, each later one is the letter of a workload. */
import type { Contender } from './contender';
import { read, v86Wasm } from './files';
import type { startLab } from './lab';
import type { ChildAnswer, ChildRequest } from './process';
import { startV86 } from './v86';

let contender: Contender | undefined;

async function answer(message: ChildRequest | string): Promise<ChildAnswer> {
  if (typeof message === 'string') return { measured: await contender!.run(message) };
  const image = read(message.image);
  if (message.kind === 'v86') contender = await startV86(image, v86Wasm);
  else {
    if (message.processorTime)
      performance.now = () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1000;
      };
    const lab = (await import(message.engine)) as { startLab: typeof startLab };
    contender = await lab.startLab({ ...message, core: read(message.core), image });
  }
  return { name: contender.name };
}

process.on('message', async (message: ChildRequest | string) => {
  const reply = await answer(message).catch(
    (error: unknown): ChildAnswer => ({ error: error instanceof Error ? error.message : String(error) }),
  );
  process.send!(reply);
});
process.on('disconnect', () => process.exit());
