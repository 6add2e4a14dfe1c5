/** The text monitor: takes a line, returns text in QEMU's style. `execute` never throws, whatever a user types. */
import type { Machine, MachineEvent } from '../machine/index';
import { MachineError } from '../machine/index';
import { symbolsOf } from '../symbols/index';
import { parseArgsType, parseArguments } from './args';
import { findCommand } from './commands/help';
import { CommitLog, pagesOf } from './commit-log';
import { complete } from './complete';
import { count } from './phases';
import { registerValue } from './registers';
import { commands } from './table';
import { type Answer, type Args, type Command, CommandError, type Context, type MonitorEnv, type MonitorState, UsageError } from './types';
import { VERSION } from './version';

export const PROMPT = '(lab) ';
/** As in QEMU's readline. */
const HISTORY = 64;
const MAX_LINE = 65536;

export class Monitor {
  static readonly PROMPT = PROMPT;
  readonly banner = `memslot-lab ${VERSION} monitor - type 'help' for more information\n`;
  readonly commits: CommitLog;
  private readonly context: Context;
  private readonly state: MonitorState;

  constructor(machine: Machine, env: MonitorEnv) {
    this.commits = env.commits ?? new CommitLog(machine, env.wallClock ?? (() => 0));
    this.state = { format: 'x', size: 4, vcpu: 0, launched: false, history: [], logItems: new Set(), layoutNames: [], snapshotNames: [] };
    this.context = { machine, env, state: this.state, commits: this.commits, commands };
    machine.subscribe((event) => this.event(event));
    this.refreshNames();
  }

  /** The terminal's output for the line, without prompt: '' or lines, each ended by "\n". */
  async execute(line: string): Promise<string> {
    return (await this.answer(line)).text;
  }

  /** The same as a value, with whether it failed and why. */
  async answer(line: string): Promise<Answer> {
    try {
      return await this.run(line.replace(/[\r\n]+$/, ''));
    } catch (error) {
      return refusal(error);
    }
  }

  /** Words that may end the line, sorted; each replaces the word being typed. */
  complete(line: string): string[] {
    try {
      return complete(this.context, line);
    } catch {
      return [];
    }
  }

  /** For QMP: the same commands on the same state. */
  get commandContext(): Context {
    return this.context;
  }

  /** Throws anything that is not an answer: a CommandError, a MachineError, or a fault of this program. */
  protected async run(line: string): Promise<Answer> {
    if (line.trim() === '') return { text: '', failed: false };
    if (line.length > MAX_LINE) return refused([`the line has ${line.length} characters, at most ${MAX_LINE} are read`]);
    this.remember(line);
    const found = findLine(line);
    if (typeof found === 'string') return mistyped(found);
    const { command, typed, rest } = found;
    // Replays must mean the same without the file of symbols.
    const symbols = command.input ? {} : { symbols: (name: string) => symbolsOf(this.context.machine).find(name) };
    let args: Args;
    try {
      args = parseArguments(rest, command.args, {
        command: command.name,
        state: this.state,
        registers: (name) => this.register(name),
        ...symbols,
      });
    } catch (error) {
      if (error instanceof UsageError) return mistyped(error.message, `Try "help ${typed}" for more information\n`);
      return refusal(error);
    }
    try {
      const result = (await command.run?.(this.context, args)) ?? '';
      return typeof result === 'string' ? { text: result, failed: false } : result;
    } catch (error) {
      return error instanceof UsageError ? mistyped(error.message) : refusal(error);
    }
  }

  private refreshNames(): void {
    this.context.env.layouts.keys().then(
      (names) => {
        this.state.layoutNames = names;
      },
      () => {},
    );
    this.context.env.snapshots?.list().then(
      (snapshots) => {
        this.state.snapshotNames = snapshots.map(({ name }) => name).sort();
      },
      () => {},
    );
  }

  private register(name: string): bigint | undefined {
    return registerValue(this.context.machine.inspect.registers(this.state.vcpu), name);
  }

  private remember(line: string): void {
    const { history } = this.state;
    const known = history.indexOf(line);
    if (known >= 0) history.splice(known, 1);
    history.push(line);
    if (history.length > HISTORY) history.shift();
  }

  private event(event: MachineEvent): void {
    if (event.type === 'state' && event.state === 'running') this.state.launched = true;
    const print = this.context.env.print;
    const { logItems } = this.state;
    if (!print || logItems.size === 0) return;
    if (event.type === 'log' && logItems.has('unimp')) print(event.text);
    if (event.type === 'commit' && logItems.has('memslots')) print(describe(event.event));
  }
}

/** Does this line change the machine and nothing else? Then it belongs in a replay's journal, and may come from one. */
export function isInputLine(line: string): boolean {
  const found = line.trim() === '' || line.length > MAX_LINE ? '' : findLine(line);
  return typeof found !== 'string' && found.command.input === true;
}

/** The same line for a machine whose host memory begins `by` bytes higher than where it was typed: shifts an hva in it. */
export function withHvaMoved(line: string, by: number): string {
  const found = findLine(line);
  if (by === 0 || typeof found === 'string') return line;
  // The arguments before an hva are numbers, one word each.
  const place = parseArgsType(found.command.args).findIndex(({ key }) => key === 'hva');
  const word = [...found.rest.matchAll(/\S+/g)][place];
  if (!word || word[0].startsWith('-')) return line;
  const end = line.length - found.rest.length + word.index + word[0].length;
  return `${line.slice(0, end)}${by < 0 ? '-' : '+'}${Math.abs(by)}${line.slice(end)}`;
}

/** The command, its name as typed, and its arguments; or the error. */
function findLine(line: string): { command: Command; typed: string; rest: string } | string {
  let table = commands;
  let at = 0;
  for (;;) {
    while (/\s/.test(line[at] ?? '')) at++;
    const name = /^[^\s/]*/.exec(line.slice(at))![0];
    at += name.length;
    const typed = line.slice(0, at);
    const command = findCommand(table, name);
    if (!command) return `unknown command: '${typed}'`;
    const rest = line.slice(at);
    if (!command.sub || rest.trim() === '') return { command, typed: typed.trimStart(), rest };
    table = command.sub;
  }
}

/** MachineError and CommandError carry QEMU's texts; anything else is a fault of this program and is reported as such. */
function refusal(error: unknown): Answer {
  if (error instanceof CommandError) return refused(error.reasons);
  if (error instanceof MachineError) return refused([error.message]);
  return refused([`internal error: ${(error as Error)?.message ?? String(error)}`]);
}

const refused = (reasons: readonly string[]): Answer => ({
  text: reasons.map((reason) => `Error: ${reason}\n`).join(''),
  failed: true,
  reason: reasons.join('\n'),
});

/** QEMU prints its parser's errors without "Error: ". */
const mistyped = (complaint: string, hint = ''): Answer => ({ text: `${complaint}\n${hint}`, failed: true, reason: complaint });

function describe(event: Extract<MachineEvent, { type: 'commit' }>['event']): string {
  switch (event.type) {
    case 'publish':
      return `memslots: as ${event.asId}: swap ${event.swap} of ${event.of}, generation ${event.generation}`;
    case 'zap':
    case 'protect':
      return `memslots: ${event.type}: ${count(pagesOf(event.ranges), 'page')} in ${count(event.ranges.length, 'range')}`;
    default:
      return `memslots: as ${event.asId}: commit, ${count(event.commit.changes.length, 'change')}`;
  }
}
