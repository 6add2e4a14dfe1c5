/** The browser's processes as Linux counts them (/proc), as a task manager shows them. */
import { readdirSync, readFileSync } from 'node:fs';

export interface BrowserProcess {
  pid: number;
  /** browser, renderer, gpu-process, utility, zygote */
  type: string;
  /** Processor time so far, user and system, ms. */
  cpu: number;
}

/** Clock ticks a second of /proc/PID/stat: USER_HZ, 100 on every Linux. */
const TICK_MS = 10;

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process has ended.
    return undefined;
  }
};

/** All processes below this one that are a browser's. */
export function browserProcesses(): BrowserProcess[] {
  const parents = new Map<number, { parent: number; cpu: number }>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? read(`/proc/${name}/stat`) : undefined;
    // The name in parentheses may contain blanks, so fields are counted after it, starting with field 3.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields) parents.set(Number(name), { parent: Number(fields[1]), cpu: (Number(fields[11]) + Number(fields[12])) * TICK_MS });
  }
  const below = (pid: number): boolean => {
    const parent = parents.get(pid)?.parent ?? 0;
    return parent === process.pid || (parent > 1 && below(parent));
  };
  const found: BrowserProcess[] = [];
  for (const [pid, { cpu }] of parents) {
    if (!below(pid)) continue;
    const command = read(`/proc/${pid}/cmdline`) ?? '';
    if (!/chrom/i.test(command.split('\0')[0] ?? '')) continue;
    found.push({ pid, type: /--type=([\w-]+)/.exec(command)?.[1] ?? 'browser', cpu });
  }
  return found;
}

/** Processor time of all of the browser's processes, ms. */
export const browserCpu = (): number => browserProcesses().reduce((sum, { cpu }) => sum + cpu, 0);

export interface Memory {
  /** MiB: resident pages, and the same with shared pages counted proportionally. */
  rss: number;
  pss: number;
}

/** The largest renderer: the tab, not the spare renderer that the browser may keep. */
export function tabMemory(): Memory {
  const sizes = browserProcesses()
    .filter(({ type }) => type === 'renderer')
    .map(({ pid }) => {
      const text = read(`/proc/${pid}/smaps_rollup`) ?? '';
      const mib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
      return { rss: mib('Rss'), pss: mib('Pss') };
    });
  if (sizes.length === 0) throw new Error('the browser has no renderer');
  return sizes.reduce((most, each) => (each.rss > most.rss ? each : most));
}
