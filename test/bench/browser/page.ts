/** The browser's side of `npm run bench -- --chromium`: `window.bench` starts contenders and runs workloads on them. */
import v86Wasm from 'v86/build/v86.wasm?url';
import type { CommitCost } from '../commit-cost';
import type { Contender, Measured } from '../contender';
import { startV86 } from '../v86';

interface Answer {
  name?: string;
  measured?: Measured;
  costs?: CommitCost[];
  error?: string;
}

const bytesOf = async (url: string): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await (await fetch(url)).arrayBuffer());

function ask(worker: Worker, message: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => (data.error === undefined ? resolve(data) : reject(new Error(data.error)));
    worker.onerror = ({ message: text }) => reject(new Error(text));
    worker.postMessage(message);
  });
}

async function labWorker(): Promise<{ worker: Worker; core: Uint8Array; image: Uint8Array }> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  const [core, image] = await Promise.all([bytesOf('core.wasm'), bytesOf('image64.elf')]);
  return { worker, core, image };
}

async function startLab(accel: string): Promise<Contender> {
  const { worker, core, image } = await labWorker();
  const { name = '' } = await ask(worker, { core, image, bits: 64, accel });
  return {
    name,
    run: async (letter) => (await ask(worker, letter)).measured!,
    close: async () => worker.terminate(),
  };
}

const contenders: Contender[] = [];

const bench = {
  /** `v86`, or a tier of this project's core. Returns its number and its name. */
  async start(kind: string): Promise<{ number: number; name: string }> {
    const contender = kind === 'v86' ? await startV86(await bytesOf('image32.elf'), v86Wasm) : await startLab(kind);
    return { number: contenders.push(contender) - 1, name: contender.name };
  },
  async commits(accel: string, rounds: number): Promise<CommitCost[]> {
    const { worker, core, image } = await labWorker();
    return (await ask(worker, { core, image, accel, rounds })).costs!;
  },
  run: (number: number, letter: string): Promise<Measured> => contenders[number]!.run(letter),
};

export type Bench = typeof bench;
(window as unknown as { bench: Bench }).bench = bench;
