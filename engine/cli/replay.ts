/** -replay: plays a replay's file, or link, from start to end and reports whether the machine is the recorded one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine, MachineConfig } from '../machine/index';
import { createMachine, type Runner, TypedInput } from '../machine/index';
import { CommitLog, Monitor } from '../monitor/index';
import { Player } from '../replay/player';
import { Recorder } from '../replay/recorder';
import { reasonOf } from '../replay/refusals';
import type { ReplayView } from '../replay/types';
import { historyOf } from '../shell/history';
import { applyInput } from '../shell/inputs';
import { type Asked, makeMachine, wantedBy } from '../shell/wanted';
import { configOf, inspectFile, inspectLink, layoutFormat, linkKind, MAX_INFLATED, type MachineSpec } from '../snapshot/index';
import { FlagError } from './chardev-flag';
import { type LabProcess, openChardev } from './connection';
import type { LabFlags } from './flags';
import { GdbServer } from './gdb-server';
import { chooseGuest } from './guest-files';
import { noLayouts } from './layout-store';
import { nodeRunner, turn } from './node-runner';
import { readRegular, Unreadable } from './regular-file';
import { debugReplay } from './replay-debug';
import { loadSymbols } from './symbols';

type Source = Pick<Asked, 'link' | 'replay'>;

/** Resolves to the status: 0 if the digest at the end is the recorded one. Throws a FlagError if it cannot be played. */
export async function playReplay(
  flags: LabFlags & { replay: string },
  root: string,
  host: LabProcess,
  wallClock: () => number,
): Promise<number> {
  const wrong = (reason: string): FlagError => new FlagError(`-replay ${shown(flags.replay)}: ${reason}`);
  const source = await read(flags.replay, wrong);
  const spec = await specIn(source, wrong);
  // The file names the guest; the user must name a kernel of their own.
  const named = flags.kernel === undefined ? { ...flags, guest: spec.guest } : flags;
  const { guest } = await chooseGuest({ ...named, append: flags.append ?? spec.append }, root);
  const core = new Uint8Array(await readFile(join(root, 'build/core.wasm')));
  const make = (config: MachineConfig): Promise<Machine> => createMachine({ ...config, accel: flags.accel, core, guest, wallClock });
  const asked: Asked = { ...source, guest, config: { ...configOf(spec), accel: flags.accel } };
  const wanted = await wantedBy(asked);
  if (typeof wanted === 'string') throw wrong(wanted);
  if (wanted.kind !== 'replay') throw wrong('it is not a replay');
  const { machine, reason } = await makeMachine(asked, make, wanted);
  if (reason !== undefined) throw wrong(reason);

  if (flags.symbols !== undefined) await loadSymbols(machine, flags.symbols);
  const serial = await openChardev('-serial', flags.serial, host);
  serial.onConnection((connection) => machine.serial.onOutput((bytes) => connection.send(bytes)));
  const gdb = flags.gdb && (await GdbServer.open(flags.gdb, host));
  let view: ReplayView | undefined;
  const runner = nodeRunner(machine, wallClock);
  const { player, recorder, commits } = playerFor(machine, runner, wallClock, (each) => {
    view = each;
  });
  const reverse = gdb && historyOf({ machine, recorder, commits, wallClock, turn, runner });
  const cancel = (): void => player.cancel();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) host.on(signal, cancel);
  try {
    await player.play(wanted.replay);
  } finally {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) host.off(signal, cancel);
    if (!gdb) serial.close();
  }
  if (!gdb || !reverse) return tell(view, host, wrong);
  try {
    const status = tell(view, host, wrong);
    await debugReplay({ machine, runner, recorder, commits, reverse, opened: gdb, host, wallClock });
    return status;
  } finally {
    gdb.close();
    serial.close();
  }
}

/** A link, or a file, whose size is checked before it is read. */
async function read(what: string, wrong: (reason: string) => FlagError): Promise<Source> {
  const fragment = /#[a-z]=.*$/s.exec(what)?.[0];
  if (fragment !== undefined && linkKind(fragment)) return { link: fragment };
  try {
    return { replay: await readRegular(what, MAX_INFLATED) };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    throw wrong(`could not open file: ${error.message}`);
  }
}

async function specIn({ link, replay }: Source, wrong: (reason: string) => FlagError): Promise<MachineSpec> {
  try {
    const found = replay ? await inspectFile(replay) : await inspectLink(link ?? '');
    if (found.kind === 'replay') return found.spec;
    const what = found.kind === 'layout' ? 'a layout' : found.kind === 'state' ? "a machine's state" : 'a machine snapshot';
    throw new Error(`it is ${what}, no replay`);
  } catch (error) {
    throw wrong(reasonOf(error));
  }
}

function playerFor(
  machine: Machine,
  runner: Runner,
  wallClock: () => number,
  post: (view: ReplayView) => void,
): { player: Player; recorder: Recorder; commits: CommitLog } {
  const commits = new CommitLog(machine, wallClock);
  const monitor = new Monitor(machine, { layouts: noLayouts, format: layoutFormat, linkBase: '', quit: () => {}, wallClock, commits });
  const reached = { machine, monitor, commits, typed: new TypedInput(machine.serial, () => {}) };
  const recorder = new Recorder(machine, runner, () => {});
  const player = new Player({
    machine,
    recorder,
    apply: (input) => applyInput(input, reached),
    monotonic: wallClock,
    yieldTurn: turn,
    post,
  });
  return { player, recorder, commits };
}

function tell(view: ReplayView | undefined, { stdout }: LabProcess, wrong: (reason: string) => FlagError): number {
  if (view?.phase !== 'done') {
    const count = view && 'instructions' in view ? ` after ${view.instructions} instructions` : '';
    throw wrong(view?.phase === 'failed' ? view.reason : `cancelled${count}`);
  }
  const equal = view.digest === view.expected;
  stdout.write(
    `replayed ${view.instructions} instructions\nrecorded  ${view.expected}\nthis run  ${view.digest}\n${equal ? 'equal' : view.other === '' ? 'DIFFERENT' : `DIFFERENT: ${view.other}`}\n`,
  );
  return equal ? 0 : 1;
}

const shown = (what: string): string => (what.length > 80 ? `${what.slice(0, 77)}...` : what);
