/** Links and files of a running machine: its layout, its state, and the replay that led to it. */
import { keptBreakpoints } from '../debug/index';
import type { Machine, MachineState } from '../machine/index';
import { program } from '../replay/program';
import type { Recorder } from '../replay/recorder';
import {
  freshState,
  layoutFormat,
  MAX_INFLATED,
  MAX_LINK,
  packBytesLink,
  packReplay,
  packReplayFile,
  packState,
  type Replay,
  readState,
  saveMachine,
  specOf,
} from '../snapshot/index';
import type { ShareKind } from './types';

const PAGE = 4096;

export interface Shared {
  machine: Machine;
  recorder: Recorder;
  /** A machine of the same kind that has not run: a state is saved as the difference from it. */
  makeFresh(): Promise<Machine>;
  linkBase: string;
  /** The guest's image is a local file. */
  own: boolean;
  /** ms since 1970 */
  wallClock(): number;
}

/** Options of a link or file. */
export interface Extras {
  /** The console's text, for a state link. */
  screen?: string | undefined;
  /** For a layout. */
  breakpoints?: boolean | undefined;
}

/** Throws the reason if no such link is possible. */
export async function linkTo(what: ShareKind, shared: Shared, { screen = '', breakpoints = false }: Extras = {}): Promise<string> {
  const { machine, linkBase } = shared;
  if (what === 'layout') return layoutFormat.link(layoutOf(machine, breakpoints), linkBase);
  if (shared.own) throw new Error(`'${machine.guest?.name ?? ''}' is a local file, which a link cannot contain: save a file`);
  const link = what === 'state' ? await stateLink(shared, screen) : await packBytesLink('r', await replayContent(shared), linkBase);
  if (link.length > MAX_LINK)
    throw new Error(`the link would have ${link.length} characters, at most ${MAX_LINK} can be opened: save a file`);
  return link;
}

/** The bytes of a file: complete, even if a link would be too long. */
export async function fileOf(what: ShareKind, shared: Shared, breakpoints = false): Promise<Uint8Array> {
  if (what === 'layout') return new TextEncoder().encode(layoutOf(shared.machine, breakpoints));
  if (what === 'replay') return packReplayFile(await replayContent(shared));
  shared.machine.run.catchUp();
  return (await saveMachine(shared.machine, shared.wallClock())).bytes;
}

const layoutOf = (machine: Machine, breakpoints: boolean): string =>
  layoutFormat.capture(machine, breakpoints ? keptBreakpoints(machine) : undefined);

async function stateLink({ machine, makeFresh, linkBase }: Shared, screen: string): Promise<string> {
  machine.run.catchUp();
  const state = machine.snapshot.capture();
  // Started now, while the machine is in the captured state; it does not run before the state is read.
  const digest = machine.digest();
  const used = state.ram.reduce((sum, { pages }) => sum + pages.length * PAGE, 0);
  if (used > 2 * MAX_INFLATED) {
    await digest;
    throw new Error(`the guest uses ${used} bytes of memory, more than a link can contain: save a file`);
  }
  const spec = await specOf(machine, program);
  const fresh = freshState(await makeFresh());
  return packBytesLink('s', packState(state, fresh, { spec, digest: await digest, screen }), linkBase);
}

async function replayContent({ machine, recorder, makeFresh }: Shared): Promise<Uint8Array> {
  if (recorder.playing) throw new Error('a replay is running: cancel it, or wait for its end');
  const recording = recorder.recording();
  if (typeof recording === 'string') throw new Error(`no replay can be made: ${recording}`);
  const digest = machine.digest();
  const spec = await specOf(machine, program);
  const { base, start, entries, end } = recording;
  const replay: Replay = { spec, start, entries, end, digest: await digest };
  if (base.kind === 'power-on') return packReplay(base.layout === undefined ? replay : { ...replay, layout: base.layout });
  const state = (await readState(base.file)) as MachineState;
  const link = { spec, digest: '0'.repeat(64), screen: '' };
  return packReplay({ ...replay, state: packState(state, freshState(await makeFresh()), link) });
}
