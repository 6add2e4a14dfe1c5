/** trace-event, info trace-events, info kvm-stat, trace_clear, trace_dump. */
import { MachineError } from '../../machine/index';
import { EVENTS, type ExitStat, matches, perfettoBytes, tracerOf } from '../../trace/index';
import { type Command, CommandError, type Context, getString, UsageError } from '../types';

function set({ machine }: Context, name: string, option: string): string {
  if (option !== 'on' && option !== 'off') throw new UsageError(`trace-event: '${option}' is neither on nor off`);
  try {
    tracerOf(machine).set(name, option === 'on');
    return '';
  } catch (error) {
    throw error instanceof MachineError ? new CommandError(error.message) : error;
  }
}

function list({ machine }: Context, pattern = '*'): string {
  const found = tracerOf(machine)
    .states()
    .filter(({ name }) => matches(pattern, name));
  if (found.length === 0) throw new CommandError(`unknown event "${pattern}"`);
  return found.map(({ name, on }) => `${name} : state ${on ? 1 : 0}\n`).join('');
}

const OFF = 'The trace is off: "trace-event * on" begins to count\n';
const us = (ns: number): string => `${(ns / 1000).toFixed(2)}us`;
const share = (part: number, all: number): string => (all === 0 ? '0.00%' : `${((100 * part) / all).toFixed(2)}%`);

/** As `perf kvm stat report` lays it out; times are of the guest. */
export function kvmStatText(rows: readonly ExitStat[]): string {
  const samples = rows.reduce((sum, row) => sum + row.samples, 0);
  const time = rows.reduce((sum, row) => sum + row.total, 0);
  const line = (cells: readonly string[]): string =>
    `${cells.map((cell, index) => cell.padStart([20, 10, 9, 9, 13, 13, 13][index]!)).join(' ')}\n`;
  const head = line(['VM-EXIT', 'Samples', 'Samples%', 'Time%', 'Min Time', 'Max Time', 'Avg time']);
  const body = rows.map((row) =>
    line([
      row.reason,
      String(row.samples),
      share(row.samples, samples),
      share(row.total, time),
      us(row.min),
      us(row.max),
      us(row.total / row.samples),
    ]),
  );
  return `${head}\n${body.join('')}\nTotal Samples:${samples}, Total events handled time:${us(time)}.\n`;
}

async function dump({ machine, env }: Context, file: string): Promise<string> {
  const tracer = tracerOf(machine);
  if (!tracer.ring || tracer.ring.total === 0) throw new CommandError('no event was recorded: "trace-event * on" begins');
  if (!env.writeFile) throw new CommandError(`cannot write '${file}': there are no files here (the page saves the trace itself)`);
  try {
    await env.writeFile(file, perfettoBytes(machine, tracer));
  } catch (error) {
    throw new CommandError(`could not write file '${file}': ${(error as Error).message}`);
  }
  return '';
}

const completeName = (word: string): string[] => EVENTS.map(({ name }) => name).filter((name) => name.startsWith(word));

export const traceCommands: Command[] = [
  {
    name: 'trace-event',
    args: 'name:s,option:s',
    params: 'name on|off',
    help: 'changes status of a specific trace event',
    origin: 'qemu',
    note:
      "The name may have `*` in it; the events are ours, with QEMU's names where it has them. The last 65,536 are kept. QEMU's third argument, a vCPU, " +
      'does not exist.',
    run: (context, args) => set(context, getString(args, 'name')!, getString(args, 'option')!),
    complete: (_context, word, words) => (words.length === 0 ? completeName(word) : ['on', 'off'].filter((each) => each.startsWith(word))),
  },
  {
    name: 'trace_clear',
    args: '',
    params: '',
    help: 'forget the recorded trace and the counts of info kvm-stat',
    origin: 'lab',
    run: ({ machine }) => {
      tracerOf(machine).clear();
      return '';
    },
  },
  {
    name: 'trace_dump',
    args: 'filename:F',
    params: 'file',
    help: "write the recorded trace to a file, as Chrome's trace-event JSON, which Perfetto opens",
    origin: 'lab',
    note: 'Only where there are files: the headless lab. The page has a button for it.',
    run: (context, args) => dump(context, getString(args, 'filename')!),
  },
];

export const traceInfo: Command[] = [
  {
    name: 'trace-events',
    args: 'name:s?',
    params: '[name]',
    help: 'show available trace-events & their state (name: event name pattern)',
    origin: 'qemu',
    run: (context, args) => list(context, getString(args, 'name')),
  },
  {
    name: 'kvm-stat',
    args: '',
    params: '',
    help: 'show exits by reason, as perf kvm stat does, with the guest time until the vCPU went on',
    origin: 'lab',
    note:
      'Counted while any trace event is on. What the lab answers on the spot takes the 8 ns of its instruction, or none; HLT and RETRY take as long as ' +
      'the vCPU slept or waited. Slices that end for the host’s sake are no exits.',
    run: ({ machine }) => {
      const tracer = tracerOf(machine);
      const rows = tracer.stat.rows();
      return rows.length === 0 && !tracer.on ? OFF : kvmStatText(rows);
    },
  },
];
