/** breakpoint_add, breakpoint_del, info breakpoints: ours. They stop the machine at an access by anyone, and change nothing else. */
import { WATCH_LIMIT } from '../../abi/watch';
import {
  type Accesses,
  type BreakpointOptions,
  breakpointLine,
  breakpointOptions,
  breakpointsOf,
  type Place,
  stopText,
  watchesOf,
} from '../../debug/index';
import type { Machine } from '../../machine/index';
import { symbolsOf } from '../../symbols/index';
import { parseCondition } from '../condition';
import { readExpression } from '../expr';
import { parseKeyval } from '../opts';
import { registerValue } from '../registers';
import { hex } from '../sizes';
import { type Command, CommandError, type Context, getString, UsageError } from '../types';

const KINDS = ['gva', 'gpa', 'hva', 'slot', 'page', 'port', 'msr', 'vector', 'hole'] as const;
type Kind = (typeof KINDS)[number];
const isKind = (text: string): text is Kind => KINDS.includes(text as Kind);
/** The access if none is given. */
const USUAL: Readonly<Record<Kind, string>> = {
  gva: 'x',
  gpa: 'rw',
  hva: 'rw',
  slot: 'rw',
  page: 'rw',
  port: 'rw',
  msr: 'rw',
  vector: 'x',
  hole: 'rw',
};
const MOST: Partial<Record<Kind, bigint>> = { port: 0xffffn, msr: 0xffffffffn, vector: 0xffn };
const OPTIONS = ['len', 'access', 'if', 'skip', 'once', 'vcpu', 'after'];

/** Context of expressions: registers are the vCPU's. */
export interface Where {
  machine: Machine;
  state: { vcpu: number };
}

function number({ machine, state }: Where, name: string, text: string, most = 0xffff_ffff_ffff_ffffn): bigint {
  try {
    const registers = machine.inspect.registers(state.vcpu);
    const { value, end } = readExpression(text, 0, (register) => registerValue(registers, register), {
      suffixes: true,
      symbols: (symbol) => symbolsOf(machine).find(symbol),
    });
    if (text.slice(end).trim() !== '') throw new UsageError(`unexpected text after it: '${text.slice(end).trim()}'`);
    if (value > most) throw new UsageError(`at most 0x${most.toString(16)} is possible`);
    return value;
  } catch (error) {
    if (error instanceof UsageError) throw new CommandError(`${name}=${text}: ${error.message}`);
    throw error;
  }
}

function accesses(text: string): Accesses {
  if (!/^[rwx]+$/.test(text)) throw new CommandError(`access=${text}: use r, w, x or several of them`);
  return { execute: text.includes('x'), read: text.includes('r'), write: text.includes('w') };
}

/** "gva=0x1000,access=w,if=$rax==1": the kind and its address first. Throws CommandError. */
export function parseBreakpoint(context: Where, text: string): BreakpointOptions {
  // Only "hole" can stand alone: an address without its kind is refused.
  const { values } = parseKeyval(text.replace(/^hole(?=,|$)/, 'hole=any'), 'place');
  const kinds = [...values.keys()].filter(isKind);
  const kind = kinds[0];
  if (kinds.length !== 1 || kind === undefined)
    throw new CommandError(`give a place: one of ${KINDS.map((each) => (each === 'hole' ? each : `${each}=...`)).join(', ')}`);
  for (const key of values.keys())
    if (key !== kind && !OPTIONS.includes(key)) throw new CommandError(`Invalid parameter '${key}'; there are ${OPTIONS.join(', ')}`);
  const access = accesses(values.get('access') ?? USUAL[kind]);
  if (access.execute && (kind === 'port' || kind === 'msr' || kind === 'hole'))
    throw new CommandError(`access=x: nothing runs in a ${kind}`);
  const condition = values.get('if');
  const once = values.get('once') ?? 'off';
  if (once !== 'on' && once !== 'off') throw new CommandError(`once=${once}: use on or off`);
  const after = values.get('after');
  if (after !== undefined && (after !== 'commit' || kind !== 'slot'))
    throw new CommandError(`after=${after}: after=commit is only possible for a slot`);
  const vcpu = values.get('vcpu');
  const holds = condition === undefined ? undefined : parseCondition(condition, context.machine);
  return {
    place: placeOf(context, kind, values),
    access,
    ...(vcpu !== undefined && { vcpu: Number(number(context, 'vcpu', vcpu, BigInt(context.machine.config.smp - 1))) }),
    ...(condition !== undefined && holds && { condition: { text: condition, holds } }),
    skip: Number(number(context, 'skip', values.get('skip') ?? '0', 0xffff_ffffn)),
    once: once === 'on',
    afterCommit: after === 'commit',
  };
}

function placeOf(context: Where, kind: Kind, values: ReadonlyMap<string, string>): Place {
  const text = values.get(kind)!;
  const length = Number(number(context, 'len', values.get('len') ?? '1', 0x10_0000_0000_0000n));
  if (length === 0) throw new CommandError('len=0: the minimum is 1 byte');
  if (kind === 'hole') return text === 'any' ? { kind } : { kind, first: number(context, kind, text), length };
  const first = number(context, kind, text, MOST[kind]);
  if (kind === 'slot') return { kind, slot: Number(first) };
  if (kind === 'page') return { kind, first };
  return { kind, first, length };
}

/** Breakpoints from a layout that leads to these memslots. CommandError if one of them is invalid, or they are too many together; existing ones are skipped. */
export function readBreakpoints(where: Where, texts: readonly string[], slots: readonly number[]): BreakpointOptions[] {
  const { machine } = where;
  const set = breakpointsOf(machine);
  const known = new Set(set.list().map((each) => breakpointOptions(each)));
  const wanted = texts.flatMap((text, index) => {
    try {
      const options = parseBreakpoint(where, text);
      const { place } = options;
      if (place.kind === 'hva') throw new CommandError('an hva means nothing in another machine');
      if (place.kind === 'slot' && !slots.includes(place.slot)) throw new CommandError(`memslot ${place.slot} is not in the layout`);
      const written = breakpointOptions(options)!;
      if (known.has(written)) return [];
      known.add(written);
      return options;
    } catch (error) {
      if (error instanceof CommandError) throw new CommandError(`breakpoint ${index + 1}, '${text}': ${error.message}`);
      throw error;
    }
  });
  const ranges = set.list().reduce((sum, each) => sum + watchesOf(each, machine).length, 0);
  const more = wanted.filter(({ place }) => place.kind !== 'hole').length;
  if (ranges + more > WATCH_LIMIT)
    throw new CommandError(
      `its breakpoints watch ${more} address ranges, ${ranges} are watched already, at most ${WATCH_LIMIT} are possible`,
    );
  return wanted;
}

/** Their lines in `info breakpoints`. */
export function addBreakpoints(machine: Machine, wanted: readonly BreakpointOptions[]): string {
  return wanted.map((options) => `${breakpointLine(breakpointsOf(machine).add(options))}\n`).join('');
}

function add(context: Context, text: string): string {
  const breakpoint = breakpointsOf(context.machine).add(parseBreakpoint(context, text));
  return `${breakpointLine(breakpoint)}\n`;
}

function remove(context: Context, id: string): string {
  const set = breakpointsOf(context.machine);
  if (id === 'all') {
    set.clear('lab');
    return '';
  }
  const number = /^\d+$/.test(id) ? Number(id) : -1;
  if (set.get(number)?.owner === 'gdb') throw new CommandError(`breakpoint ${id} belongs to gdb: delete it there`);
  if (!set.delete(number)) throw new CommandError(`breakpoint '${id}' does not exist: "info breakpoints" has the list`);
  return '';
}

function enable({ machine }: Context, id: string, enabled: boolean): string {
  const set = breakpointsOf(machine);
  const known = /^\d+$/.test(id) ? set.get(Number(id)) : undefined;
  if (!known) throw new CommandError(`breakpoint '${id}' does not exist: "info breakpoints" has the list`);
  if (known.owner === 'gdb') throw new CommandError(`breakpoint ${id} belongs to gdb: enable or disable it there`);
  set.enable(known.id, enabled);
  return '';
}

const ids = ({ machine }: Context): string[] =>
  breakpointsOf(machine)
    .list()
    .map(({ id }) => String(id));

export const breakpointCommands: Command[] = [
  {
    name: 'breakpoint_add',
    args: 'options:S',
    params: 'KIND=ADDR[,len=N][,access=r|w|x...][,if=COND][,skip=N][,vcpu=N][,once=on][,after=commit]',
    help: 'stop the machine when something is accessed (KIND: gva, gpa, hva, slot, page, port, msr, vector, hole)',
    origin: 'lab',
    run: (context, args) => add(context, getString(args, 'options')!),
    complete: (_context, word) =>
      word.includes(',')
        ? OPTIONS.map((each) => `${word.slice(0, word.lastIndexOf(',') + 1)}${each}=`)
        : KINDS.map((each) => (each === 'hole' ? each : `${each}=`)),
  },
  {
    name: 'breakpoint_del',
    args: 'id:s',
    params: 'ID|all',
    help: 'delete a breakpoint',
    origin: 'lab',
    run: (context, args) => remove(context, getString(args, 'id')!),
    complete: (context) => ['all', ...ids(context)],
  },
  {
    name: 'breakpoint_enable',
    args: 'id:s',
    params: 'ID',
    help: 'enable a breakpoint',
    origin: 'lab',
    run: (context, args) => enable(context, getString(args, 'id')!, true),
    complete: ids,
  },
  {
    name: 'breakpoint_disable',
    args: 'id:s',
    params: 'ID',
    help: 'disable a breakpoint, but keep it',
    origin: 'lab',
    run: (context, args) => enable(context, getString(args, 'id')!, false),
    complete: ids,
  },
];

export const breakpointInfo: Command = {
  name: 'breakpoints',
  args: '',
  params: '',
  help: 'show breakpoints, and which of them stopped the machine',
  origin: 'lab',
  run({ machine }) {
    const set = breakpointsOf(machine);
    const list = set.list();
    const symbols = symbolsOf(machine);
    const named = (address: bigint): string => {
      const name = symbols.name(address);
      return name === undefined ? '' : ` <${name}>`;
    };
    const at = set.stop && machine.inspect.registers(set.stop.vcpu).rip;
    const stop = set.stop && at !== undefined ? `stopped at: ${stopText(set.stop)}, rip ${hex(at)}${named(at)}\n` : '';
    if (list.length === 0) return `${stop}no breakpoints\n`;
    return `${list.map((each) => `${breakpointLine(each)}${each.place.kind === 'gva' ? named(each.place.first) : ''}\n`).join('')}${stop}`;
  },
};
