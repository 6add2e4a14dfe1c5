/** trace-event, info trace-events, info kvm-stat, trace_clear, trace_dump. */
import { MachineError } from '../../machine/index';
import { EVENT_KINDS, EVENTS, type ExitStat, matches, perfettoBytes, tracerOf, traceTail } from '../../trace/index';
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

const OFF = 'The trace is off: "trace-event * on" starts counting\n';
const us = (ns: number): string => `${(ns / 1000).toFixed(2)}us`;
const share = (part: number, all: number): string => (all === 0 ? '0.00%' : `${((100 * part) / all).toFixed(2)}%`);

/** perf's columns (tools/perf/builtin-kvm.c, print_result), characters */
const WIDTHS = [20, 10, 9, 9, 11, 11, 16];

/** In the format of `perf kvm stat report`; times are guest time. */
export function kvmStatText(rows: readonly ExitStat[]): string {
  const samples = rows.reduce((sum, row) => sum + row.samples, 0);
  const time = rows.reduce((sum, row) => sum + row.total, 0);
  const line = (cells: readonly string[]): string => `${cells.map((cell, index) => cell.padStart(WIDTHS[index]!)).join(' ')}\n`;
  const head = line(['VM-EXIT', 'Samples', 'Samples%', 'Time%', 'Min Time', 'Max Time', 'Avg time']);
  const body = rows.map((row) =>
    line([
      row.reason,
      String(row.samples),
      share(row.samples, samples),
      share(row.total, time),
      us(row.min),
      us(row.max),
      `${us(row.total / row.samples).padStart(11)} ( +-${(100 * row.deviation).toFixed(2).padStart(7)}% )`,
    ]),
  );
  return `${head}\n${body.join('')}\nTotal Samples:${samples}, Total events handled time:${us(time)}.\n`;
}

const LINES = 64;
const MOST_LINES = 1024;

/** `asked`: "/COUNT" and a filter, both optional. */
function show({ machine }: Context, asked = ''): string {
  const [, count, filter = ''] = /^(?:\/(\d{1,9})(?:\s+|$))?(.*)$/s.exec(asked.trim())!;
  if (filter.startsWith('/')) throw new UsageError(`info trace: '${filter.split(/\s/)[0]}' is not a number of lines`);
  const { ring } = tracerOf(machine);
  if (!ring || ring.total === 0) throw new CommandError('no event was recorded: "trace-event * on" starts recording');
  const lines = Math.max(1, Math.min(MOST_LINES, count === undefined ? LINES : Number(count)));
  const view = traceTail(machine, { kinds: EVENT_KINDS, filter }, lines);
  if (view.wrong !== undefined) throw new CommandError(view.wrong);
  const kept = ring.total - ring.first;
  const rows = view.rows.map(
    ({ time, lane, icount, generation, event, what, alike, until, code }) =>
      `${(time / 1e6).toFixed(6).padStart(14)} ms ${lane.padEnd(7)} ${String(icount).padStart(13)} gen ${generation} ${event}: ${what}${code === undefined ? '' : `, ${code}`}` +
      (alike > 1 ? `; ${alike} alike until ${(until / 1e6).toFixed(6)} ms` : ''),
  );
  const older = view.rowCount - view.rows.length;
  const head = `${view.matched} of ${kept} events match${older > 0 ? `, ${older} older lines are left out` : ''}\n`;
  return `${head}${rows.map((row) => `${row}\n`).join('')}`;
}

async function dump({ machine, env }: Context, file: string): Promise<string> {
  const tracer = tracerOf(machine);
  if (!tracer.ring || tracer.ring.total === 0) throw new CommandError('no event was recorded: "trace-event * on" starts recording');
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
    name: 'trace',
    args: 'filter:S?',
    params: '[/count] [filter]',
    help: 'show the last recorded events that match; similar ones share a line',
    origin: 'lab',
    run: (context, args) => show(context, getString(args, 'filter')),
  },
  {
    name: 'kvm-stat',
    args: '',
    params: '',
    help: 'show exits by reason, as perf kvm stat does, with the guest time until the vCPU continued',
    origin: 'lab',
    run: ({ machine }) => {
      const tracer = tracerOf(machine);
      const rows = tracer.stat.rows();
      return rows.length === 0 && !tracer.on ? OFF : kvmStatText(rows);
    },
  },
];
