/** The page's long tasks while a guest computes at full speed and its code is compiled. */
import { longestWork } from '../main-thread';
import { verdict } from '../statistics';
import type { Tab } from './browser';

/** CPU, at most. */
export const LONGEST_TASK_MS = 50;
/** The CPU pane and the Live tab redraw all the time; each is kept open this long. */
const OPEN_MS = 8000;

export const taskText = (longest: number, tasks: readonly number[]): string =>
  `${longest.toFixed(0)} of at most ${LONGEST_TASK_MS} ms of CPU (over 50 ms by the clock: ${tasks.map((ms) => ms.toFixed(0)).join(', ') || 'none'})`;

export interface BusyTasks {
  /** ms: CPU time of the longest, and those over 50 ms of wall-clock time. */
  longest: number;
  tasks: number[];
  /** Regions compiled during the measurement. */
  compiled: number;
}

const compiledSoFar = async (tab: Tab): Promise<number> => Number(/regions compiled +(\d+)/.exec(await tab.monitor('info jit'))?.[1] ?? 0);

export async function measureBusy(open: (address: string, waitFor: string) => Promise<Tab>): Promise<BusyTasks> {
  const tab = await open('', 'lab> ');
  await tab.page.waitForTimeout(2000);
  const before = await compiledSoFar(tab);
  await tab.tasks();
  // memlab buffers what is typed ahead, so the benchmarks run one after the other.
  await tab.type('bench\r'.repeat(40));
  const longest = await longestWork(tab.page, async () => {
    for (const name of ['Live', 'CPU']) {
      await tab.page.getByRole('tab', { name }).click();
      await tab.page.waitForTimeout(OPEN_MS);
    }
  });
  const tasks = (await tab.tasks()).map(({ duration }) => duration);
  const compiled = (await compiledSoFar(tab)) - before;
  await tab.close();
  return { longest, tasks, compiled };
}

export const reportBusy = ({ longest, tasks, compiled }: BusyTasks): boolean =>
  verdict(
    longest <= LONGEST_TASK_MS,
    `longest task while memlab computes and ${compiled} regions are compiled: ${taskText(longest, tasks)}`,
  );
