/** Boots Linux to its shell in the page and in Node, alternately, and records the page's long tasks. */
import { join } from 'node:path';
import { bootLab, PROMPT } from '../linux-boot';
import { findLinux } from '../linux-files';
import { median, verdict } from '../statistics';
import { ROOT, type Tab } from './browser';
import { LONGEST_TASK_MS, taskText } from './busy';

const MIB = 0x100000;
/** Time in Chromium over the time in Node, at most. */
const TARGET = 1.3;

export interface BootTimes {
  /** ms, median: from the start of building the machine to the prompt. */
  node: number;
  chromium: number;
  /** ms, median: from the start of the page, including loading its files. */
  opened: number;
  /**
   * ms: CPU time of the longest main-thread task from the machine's start to the prompt, and tasks over 50 ms of wall-clock time, over all rounds.
   */
  longest: number;
  tasks: number[];
}

export async function measureBoot(open: (address: string, waitFor: string) => Promise<Tab>, rounds: number): Promise<BootTimes> {
  const linux = findLinux();
  const request = {
    core: join(ROOT, 'build/core.wasm'),
    kernel: linux.vmlinux,
    initrd: linux.initrd,
    append: linux.append,
    ram: 256 * MIB,
    accel: 'jit' as const,
    snapshot: false,
  };
  const node: number[] = [];
  const chromium: number[] = [];
  const opened: number[] = [];
  const tasks: number[] = [];
  let longest = 0;
  for (let round = 0; round < rounds; round++) {
    node.push((await bootLab(request)).ms);
    const tab = await open('?guest=linux', PROMPT);
    const { booted = 0, printed = 0 } = await tab.notes();
    chromium.push(printed - booted);
    opened.push(printed);
    tasks.push(...(await tab.tasks()).filter(({ start }) => start >= booted && start <= printed).map(({ duration }) => duration));
    longest = Math.max(longest, tab.longest);
    await tab.close();
  }
  return { node: median(node), chromium: median(chromium), opened: median(opened), longest, tasks };
}

export function reportBoot({ node, chromium, opened, longest, tasks }: BootTimes): boolean {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
  console.log(`Linux to its shell: Node ${seconds(node)}, Chromium ${seconds(chromium)} (${seconds(opened)} from the page's start)`);
  const slower = chromium / node;
  return [
    verdict(slower <= TARGET, `${slower.toFixed(2)}x of at most ${TARGET}x Node's time`),
    verdict(longest <= LONGEST_TASK_MS, `longest task while Linux boots: ${taskText(longest, tasks)}`),
  ].every((each) => each);
}
