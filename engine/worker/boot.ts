/** What a boot message asks for, made: the layout that came with it is unpacked and checked, and the machine is built for it. */
import type { Machine, MachineConfig } from '../machine/api';
import { applyLayout, isLayoutLink, type Layout, parseLayout, unpackLink } from '../snapshot/index';
import type { ToWorker } from './protocol';
import { reasonOf } from './refusals';

/** A link may ask for this much boot RAM, bytes. */
const MAX_LINK_RAM = 2 ** 30;

export type Boot = Extract<ToWorker, { type: 'boot' }>;

/** The layout to boot with; the reason when it cannot be read. */
export async function wantedLayout(message: Boot): Promise<Layout | string | undefined> {
  let text = message.layout;
  if (text === undefined && message.link !== undefined && isLayoutLink(message.link)) {
    const unpacked = await unpackLink(message.link);
    if (!unpacked.ok) return unpacked.reason;
    text = unpacked.text;
  }
  if (text === undefined) return undefined;
  const parsed = parseLayout(text);
  if (!parsed.ok) return parsed.reason;
  const { ram } = parsed.layout.machine;
  if (ram > MAX_LINK_RAM) return `it asks for ${ram} bytes of boot RAM, at most ${MAX_LINK_RAM} are given to a link`;
  return parsed.layout;
}

/** With a layout: a machine as large as the layout says, switched to it; when any of that fails, the machine that the page asked for. */
export async function makeMachine(
  message: Boot,
  make: (config: MachineConfig) => Promise<Machine>,
  layout: Layout | undefined,
): Promise<{ machine: Machine; reason?: string }> {
  if (!layout) return { machine: await make(message.config) };
  try {
    const machine = await make({ ...message.config, ...layout.machine });
    const reason = await applyLayout(machine, layout);
    // The guest was loaded where boot RAM was: once more, into the memory that there is now, with a memory map that says so.
    if (reason === undefined) machine.reset();
    if (reason === undefined) return { machine };
    return { machine: await make(message.config), reason };
  } catch (error) {
    return { machine: await make(message.config), reason: reasonOf(error) };
  }
}
