/** savevm, loadvm, delvm, info snapshots: QEMU's commands and texts; engine/snapshot has the format. */
import type { NamedSnapshot } from '../../machine/index';
import { type Command, CommandError, type Context, getString, type SnapshotStore } from '../types';

function checkName(name: string): string {
  if (!/^[^\p{C}]{1,64}$/u.test(name) || name.trim() !== name) {
    throw new CommandError(`${JSON.stringify(name)} is not a valid snapshot name: 1 to 64 printable characters, no blank at either end`);
  }
  return name;
}

function storeOf({ env }: Context): SnapshotStore {
  if (!env.snapshots || !env.snapshotFormat) throw new CommandError('there is no folder for snapshots: start lab with -snapshots DIR');
  return env.snapshots;
}

/** Errors of a store, and of a machine too large for a file, have their own texts. */
async function stored<T>(access: Promise<T>): Promise<T> {
  try {
    return await access;
  } catch (error) {
    throw new CommandError((error as Error).message);
  }
}

async function list(context: Context): Promise<NamedSnapshot[]> {
  const all = await stored(storeOf(context).list());
  context.state.snapshotNames = all.map(({ name }) => name).sort();
  return all.sort((a, b) => a.date - b.date || (a.name < b.name ? -1 : 1));
}

/** One savevm or loadvm at a time per machine, across its monitors. */
const busy = new WeakSet<object>();

async function alone<T>({ machine }: Context, action: () => Promise<T>): Promise<T> {
  if (busy.has(machine)) throw new CommandError('a snapshot is being saved or loaded: try again afterwards');
  busy.add(machine);
  try {
    return await action();
  } finally {
    busy.delete(machine);
  }
}

async function save(context: Context, wanted: string | undefined): Promise<string> {
  const { machine, env } = context;
  const store = storeOf(context);
  const now = env.wallClock?.() ?? 0;
  const name = checkName(wanted ?? `vm-${local(now).replace(/\D/g, '')}`);
  await alone(context, async () => {
    const { bytes, meta } = await stored(env.snapshotFormat!.save(machine, now));
    await stored(store.put(name, bytes, { name, ...meta }));
  });
  await list(context);
  return '';
}

async function load(context: Context, name: string): Promise<string> {
  const { machine, env } = context;
  const store = storeOf(context);
  await alone(context, async () => {
    const bytes = await stored(store.get(name));
    if (!bytes) throw new CommandError(`Snapshot '${name}' does not exist in one or more devices`);
    const reason = await env.snapshotFormat!.load(machine, bytes);
    if (reason !== undefined) throw new CommandError(`snapshot '${name}' refused: ${reason}`);
    context.commits.begins(`loaded from ${name}`);
  });
  return '';
}

/** As in QEMU, deleting a missing snapshot is not an error. */
async function remove(context: Context, name: string): Promise<string> {
  await stored(storeOf(context).delete(name));
  await list(context);
  return '';
}

async function table(context: Context): Promise<string> {
  const all = await list(context);
  if (all.length === 0) return 'There is no snapshot available.\n';
  const row = (id: string, tag: string, size: string, date: string, clock: string, icount: string): string =>
    `${id.padEnd(9)} ${tag.padEnd(16)} ${size.padStart(8)}${date.padStart(20)}${clock.padStart(13)}${icount.padStart(11)}\n`;
  const rows = all.map(({ name, size, date, vmClockNs, icount }) =>
    row('--', name, sizeText(size), ` ${local(date)}`, ` ${clockText(vmClockNs)}`, ` ${icount}`),
  );
  return `List of snapshots present on all disks:\n${row('ID', 'TAG', ' VM SIZE', 'DATE', 'VM CLOCK', 'ICOUNT')}${rows.join('')}`;
}

/** "2026-11-22 07:50:10", this computer's time. */
function local(ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

/** "00:00:10.881" */
function clockText(ns: number): string {
  const ms = Math.floor(ns / 1e6);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}.${String(ms % 1000).padStart(3, '0')}`;
}

/** "80.9 MiB", three digits as QEMU's size_to_str. */
function sizeText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(5, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** power).toPrecision(3))} ${['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'][power]}B`;
}

const known = (context: Context, _word: string, words: readonly string[]): string[] =>
  words.length === 0 ? context.state.snapshotNames : [];

export const snapshotsInfo: Command = {
  name: 'snapshots',
  args: '',
  params: '',
  help: 'show the currently saved VM snapshots',
  origin: 'qemu',
  run: table,
};

export const snapshotCommands: Command[] = [
  {
    name: 'savevm',
    args: 'name:s?',
    params: 'tag',
    help: 'save a VM snapshot. If no tag is provided, a new snapshot is created',
    origin: 'qemu',
    run: (context, args) => save(context, getString(args, 'name')),
    complete: known,
  },
  {
    name: 'loadvm',
    args: 'name:s',
    params: 'tag',
    help: 'restore a VM snapshot from its tag',
    origin: 'qemu',
    run: (context, args) => load(context, getString(args, 'name')!),
    complete: known,
  },
  {
    name: 'delvm',
    args: 'name:s',
    params: 'tag',
    help: 'delete a VM snapshot from its tag',
    origin: 'qemu',
    run: (context, args) => remove(context, getString(args, 'name')!),
    complete: known,
  },
];
