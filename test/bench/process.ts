/**
 * A contender in a Node process of its own. Sharing one process would also measure the others' heaps, compiler queues and type feedback of shared
 * functions: v86's times then vary tenfold between runs.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Contender, Measured } from './contender';
import type { LabRequest } from './lab';

/** What a child is to run: an image of its width, and of ours the core's file, the URL of the lab.ts that runs it, and the tier. */
export type ChildRequest =
  | { kind: 'v86'; image: string }
  // `processorTime`: measure processor time instead of wall-clock time.
  | ({ kind: 'lab'; core: string; engine: string; image: string; processorTime?: boolean } & Omit<LabRequest, 'core' | 'image'>);
/** Its answers: the first is its name, each later one the measurement of the letter that it got. */
export type ChildAnswer = { name: string } | { measured: Measured } | { error: string };

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));

function answer(child: ChildProcess): Promise<ChildAnswer> {
  return new Promise((resolve, reject) => {
    const ended = (status: number | null): void => reject(new Error(`a contender's process ended with status ${status}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as ChildAnswer);
    });
  });
}

/** @throws Error with one line when it cannot start, or a workload fails */
export async function startProcess(request: ChildRequest): Promise<Contender> {
  const child = fork(CHILD, [], { serialization: 'advanced' });
  const ask = async (message: ChildRequest | string): Promise<ChildAnswer> => {
    const answered = answer(child);
    child.send(message);
    const got = await answered;
    if ('error' in got) throw new Error(got.error);
    return got;
  };
  const first = await ask(request);
  return {
    name: 'name' in first ? first.name : request.kind,
    async run(letter) {
      const got = await ask(letter);
      if (!('measured' in got)) throw new Error(`${request.kind}: no measurement received`);
      return got.measured;
    },
    close: async () => void child.kill(),
  };
}
