/** Reads what a machine should start with, and builds it: unpacks and checks the layout, state or replay, and creates the machine for it. */

import type { BreakpointOptions } from '../debug/index';
import type { GuestImage, Machine, MachineConfig } from '../machine/index';
import { addBreakpoints, isInputLine, readBreakpoints } from '../monitor/index';
import { asReason } from '../replay/program';
import { reasonOf } from '../replay/refusals';
import {
  applyLayout,
  configOf,
  freshState,
  type Layout,
  layoutText,
  linkKind,
  MAX_LINK_RAM,
  type MachineSpec,
  otherGuest,
  parseLayout,
  Refused,
  type Replay,
  readReplay,
  readStateLink,
  type StateLink,
  unpackBytesLink,
  unpackLink,
  unpackReplayFile,
  unpackState,
} from '../snapshot/index';

/** What a machine should start with: `layout`, `link` and `replay` as received, unchecked. */
export interface Asked {
  config: MachineConfig;
  guest?: GuestImage;
  layout?: string;
  /** A share link's fragment */
  link?: string;
  /** A replay's file */
  replay?: Uint8Array;
}

/** What a machine should start with, checked as far as possible without a machine. */
export type Wanted =
  | { kind: 'nothing' }
  | { kind: 'layout'; layout: Layout; text: string }
  | { kind: 'state'; link: StateLink }
  | { kind: 'replay'; replay: Replay; layout?: Layout };

/** The reason, one line, if it cannot be read or is for a different guest. */
export async function wantedBy(message: Asked): Promise<Wanted | string> {
  try {
    return await read(message);
  } catch (error) {
    return reasonOf(error);
  }
}

async function read(message: Asked): Promise<Wanted> {
  const { link = '', layout, replay } = message;
  if (replay) return replayOf(await unpackReplayFile(replay), message);
  if (layout !== undefined) return layoutOf(layout);
  const kind = linkKind(link);
  if (!kind) return { kind: 'nothing' };
  if (kind === 'l') {
    const unpacked = await unpackLink(link);
    if (!unpacked.ok) throw new Refused(unpacked.reason);
    return layoutOf(unpacked.text);
  }
  const unpacked = await unpackBytesLink(kind, link);
  if (!unpacked.ok) throw new Refused(unpacked.reason);
  if (kind === 'r') return replayOf(unpacked.bytes, message);
  const state = readStateLink(unpacked.bytes);
  await checkGuest(state.spec, message);
  return { kind: 'state', link: state };
}

function layoutOf(text: string): Extract<Wanted, { kind: 'layout' }> {
  const parsed = parseLayout(text);
  if (!parsed.ok) throw new Refused(parsed.reason);
  const { ram } = parsed.layout.machine;
  if (ram > MAX_LINK_RAM) throw new Refused(`it asks for ${ram} bytes of boot RAM, at most ${MAX_LINK_RAM} are allowed for a link`);
  // Recordings get the memory: breakpoints are not part of them.
  const { breakpoints: _none, ...memory } = parsed.layout;
  return { kind: 'layout', layout: parsed.layout, text: parsed.layout.breakpoints ? layoutText(memory) : text };
}

async function replayOf(content: Uint8Array, message: Asked): Promise<Wanted> {
  const replay = readReplay(content);
  replay.entries.forEach(({ input }, index) => {
    if (input.kind !== 'line' || isInputLine(input.line)) return;
    throw new Refused(`input ${index + 1}: ${JSON.stringify(input.line.slice(0, 40))} is not a command that a replay may contain`);
  });
  await checkGuest(replay.spec, message);
  return { kind: 'replay', replay, ...(replay.layout === undefined ? {} : { layout: layoutOf(replay.layout).layout }) };
}

async function checkGuest(spec: MachineSpec, message: Asked): Promise<void> {
  const other = await otherGuest(spec, message.guest);
  if (other !== undefined) throw new Refused(other);
}

/** A machine that starts as requested. If any of that fails: the plain machine of the page's flags, and the reason. */
export async function makeMachine(
  message: Asked,
  make: (config: MachineConfig) => Promise<Machine>,
  wanted: Wanted,
): Promise<{ machine: Machine; reason?: string }> {
  if (wanted.kind === 'nothing') return { machine: await make(message.config) };
  try {
    const machine = await make({ ...message.config, ...configFor(wanted) });
    await prepare(machine, wanted);
    return { machine };
  } catch (error) {
    return { machine: await make(message.config), reason: reasonOf(error) };
  }
}

function configFor(wanted: Exclude<Wanted, { kind: 'nothing' }>): Partial<MachineConfig> {
  if (wanted.kind === 'layout') return wanted.layout.machine;
  return configOf(wanted.kind === 'state' ? wanted.link.spec : wanted.replay.spec);
}

async function prepare(machine: Machine, wanted: Exclude<Wanted, { kind: 'nothing' }>): Promise<void> {
  const state = wanted.kind === 'state' ? wanted.link.content : wanted.kind === 'replay' ? wanted.replay.state : undefined;
  if (state) {
    const unpacked = unpackState(state, freshState(machine));
    machine.snapshot.restore(unpacked);
    if (wanted.kind === 'replay') checkStart(machine, wanted.replay);
    if (wanted.kind === 'state') {
      const digest = await machine.digest();
      if (digest !== wanted.link.digest)
        throw new Refused(`it leads to a machine with digest ${digest}, not ${wanted.link.digest}${asReason(wanted.link.spec)}`);
      if ((unpacked.machine as { run: string }).run === 'paused') machine.run.stop();
    }
    return;
  }
  if (wanted.kind === 'state' || !wanted.layout) return;
  const reason = await applyLayout(machine, wanted.layout);
  if (reason !== undefined) throw new Refused(reason);
  // The guest was loaded into the original boot RAM: loads it again, into the current memory and with a matching memory map.
  machine.reset();
  if (wanted.kind === 'layout') addBreakpoints(machine, breakpointsIn(machine, wanted.layout));
}

function breakpointsIn(machine: Machine, { breakpoints = [], memslots }: Layout): BreakpointOptions[] {
  try {
    return readBreakpoints(
      { machine, state: { vcpu: 0 } },
      breakpoints,
      memslots.map(({ slot }) => slot),
    );
  } catch (error) {
    throw new Refused((error as Error).message);
  }
}

function checkStart(machine: Machine, { start }: Replay): void {
  if (machine.run.instructions !== start.instructions)
    throw new Refused(`it starts at instruction ${start.instructions}, its state is of instruction ${machine.run.instructions}`);
}
