/**
 * Switches a machine to a layout, completely or not at all: everything that can be refused is checked before anything is created. Then missing
 * backends, bare ranges and DIMMs are created, and one whole-set switch publishes the memslots. Existing memory keeps its contents, new memory is
 * zero. DIMMs and backends that only the machine has stay, unmapped; what a virtio-mem device has mapped stays.
 */
import type { Machine } from '../machine/index';
import { shapeRefusal } from '../machine/index';
import type { MemoryRegion, Refusal } from '../memory/types';
import { bareRanges, type Layout, type LayoutDimm, virtioParts } from './layout';

const PAGE = 4096;
const MIB = 0x100000;
const TWO_MIB = 2 * MIB;

interface Range {
  start: number;
  end: number;
}

interface Plan {
  newBackends: { id: string; size: number }[];
  newBare: { id: string; size: number }[];
  newDimms: (LayoutDimm & { size: number })[];
  /** Existing backings: id -> hva. */
  hva: Map<string, number>;
}

/** The reason, one line, if the layout is refused; then the machine is unchanged. */
export async function applyLayout(machine: Machine, layout: Layout): Promise<string | undefined> {
  const plan = planOf(machine, layout);
  if (typeof plan === 'string') return plan;
  const taken = layout.memslots.find(({ slot }) => virtioRegions(machine).some((own) => own.slot === slot));
  if (taken) return `memslot ${taken.slot} belongs to a virtio-mem device here: give it another id`;
  const refused = dryRun(machine, layout, plan);
  if (refused !== undefined) return refused;
  const places = placeDimms(machine, plan);
  if (typeof places === 'string') return places;
  const failed = allocate(machine, plan);
  if (failed !== undefined) return failed;
  try {
    plan.newDimms.forEach((dimm, index) => {
      machine.dimms.plug({
        ...(dimm.id === '' ? {} : { id: dimm.id }),
        memdev: dimm.memdev,
        slot: dimm.slot,
        node: dimm.node,
        addr: places[index]!,
      });
    });
  } catch (error) {
    return `a DIMM was refused: ${(error as Error).message}`;
  }
  const commit = machine.memory.setUserMemoryRegions([...regionsOf(layout, plan.hva), ...virtioRegions(machine)], 0);
  return commit.ok ? undefined : reasonOf(layout, commit.refusals);
}

/** The memslots that result, with those of the machine's other memory devices; hva -1 for memory to be created. undefined: it is refused. */
export function layoutRegions(machine: Machine, layout: Layout): MemoryRegion[] | undefined {
  const plan = planOf(machine, layout);
  if (typeof plan === 'string') return undefined;
  const regions = layout.memslots.map((slot) => {
    const hva = plan.hva.get(slot.backing);
    return {
      slot: slot.slot,
      flags: slot.flags,
      guestPhysAddr: slot.gpa,
      memorySize: slot.size,
      userspaceAddr: hva === undefined ? -1 : hva + slot.offset,
    };
  });
  return [...regions, ...virtioRegions(machine)];
}

/** What is missing; or why the layout does not fit this machine. */
function planOf(machine: Machine, layout: Layout): Plan | string {
  const { config } = machine;
  const refusal = shapeRefusal(layout.machine, config);
  if (refusal) return refusal;
  if (machine.changeSet.open) return 'a change set is open: commit or abort it first';
  const present = new Map(machine.backends.list().map((backend) => [backend.id, backend]));
  for (const { id, size } of layout.board) {
    const own = present.get(id);
    if (own?.kind !== 'board' || own.size !== size) return `boot RAM "${id}" has ${size} bytes there and ${own?.size ?? 'no place'} here`;
  }
  const plan: Plan = { newBackends: [], newBare: [], newDimms: [], hva: new Map() };
  for (const backend of present.values()) if (backend.kind === 'board') plan.hva.set(backend.id, backend.hva);
  for (const { id, size } of layout.backends) {
    const own = present.get(id);
    if (!own) plan.newBackends.push({ id, size });
    else if (own.kind === 'board') return `"${id}" is boot RAM here, not a backend`;
    else if (own.size !== size) return `backend "${id}" has ${size} bytes there and ${own.size} here: object_del it first`;
    else plan.hva.set(id, own.hva);
  }
  planBare(machine, layout, plan);
  return planDimms(machine, layout, plan) ?? plan;
}

/** An existing bare range of the same name keeps its contents if it is large enough. */
function planBare(machine: Machine, layout: Layout, plan: Plan): void {
  const own = new Map(bareRanges(machine).map((range) => [range.id, range]));
  for (const { id, size } of layout.bare) {
    const range = own.get(id);
    if (range && range.size >= size) plan.hva.set(id, range.hva);
    else plan.newBare.push({ id, size });
  }
}

function planDimms(machine: Machine, layout: Layout, plan: Plan): string | undefined {
  const present = machine.dimms.list();
  const sizes = new Map(layout.backends.map((backend) => [backend.id, backend.size]));
  for (const dimm of layout.dimms) {
    const own = present.find((each) => (dimm.id === '' ? each.memdev === dimm.memdev && each.id === '' : each.id === dimm.id));
    if (own) {
      if (own.memdev !== dimm.memdev) return `DIMM "${dimm.id}" uses "${dimm.memdev}" there and "${own.memdev}" here`;
      if (own.slot !== dimm.slot) return `DIMM "${dimm.id}" sits in DIMM slot ${dimm.slot} there and in ${own.slot} here`;
      continue;
    }
    const taken = present.find((each) => each.slot === dimm.slot);
    if (taken) return `DIMM slot ${dimm.slot}, of "${dimm.id}", is taken by "${taken.id}": device_del it first`;
    const busy = machine.backends.list().find((each) => each.id === dimm.memdev)?.busy;
    if (busy !== undefined) return `backend "${dimm.memdev}" of DIMM "${dimm.id}" is used by "${busy}"`;
    const size = sizes.get(dimm.memdev)!;
    // The same as the machine's own rule, so that no plug fails halfway.
    const block = machine.dimms.block();
    for (const [what, bytes] of [
      ['size', size],
      ['address', dimm.addr],
    ] as const)
      if (bytes % block !== 0)
        return `DIMM "${dimm.id}": ${what} 0x${bytes.toString(16)} is not a multiple of ${block / MIB} MiB${ruleOf(block)}`;
    plan.newDimms.push({ ...dimm, size });
  }
  const total = [...present, ...plan.newDimms, ...machine.virtio.mems().map(({ maxSize: size }) => ({ size }))].reduce(
    (sum, device) => sum + device.size,
    0,
  );
  const room = machine.config.maxmem - machine.config.ram;
  return plan.newDimms.length > 0 && total > room ? `its DIMMs need ${total} bytes, maxmem leaves ${room}` : undefined;
}

const ruleOf = (block: number): string => (block > TWO_MIB ? ', in whose blocks this guest takes memory' : '');

function regionsOf(layout: Layout, hva: ReadonlyMap<string, number>): MemoryRegion[] {
  return layout.memslots.map((slot) => ({
    slot: slot.slot,
    asId: 0,
    flags: slot.flags,
    guestPhysAddr: slot.gpa,
    memorySize: slot.size,
    userspaceAddr: hva.get(slot.backing)! + slot.offset,
  }));
}

const virtioRegions = (machine: Machine): MemoryRegion[] =>
  virtioParts(machine).map(({ slot, flags, gpa, part }) => ({
    ...{ slot, asId: 0, flags },
    guestPhysAddr: gpa,
    memorySize: part.size,
    userspaceAddr: part.hva,
  }));

/** The engine's own checks of the final layout, before a byte is allocated: existing memory stands in for memory that is missing. */
function dryRun(machine: Machine, layout: Layout, plan: Plan): string | undefined {
  const standIn = new Map(plan.hva);
  const anywhere = Math.min(...machine.backends.list().map((backend) => backend.hva));
  for (const { id } of [...plan.newBackends, ...plan.newBare]) standIn.set(id, anywhere);
  const regions = regionsOf(layout, standIn);
  const commit = machine.memory.checkUnbacked([...regions, ...virtioRegions(machine)], 0);
  return commit.ok ? undefined : reasonOf(layout, commit.refusals);
}

function reasonOf(layout: Layout, refusals: readonly Refusal[]): string {
  const first = refusals[0]!;
  const slot = layout.memslots[first.index];
  const more = refusals.length > 1 ? ` (and ${refusals.length - 1} more)` : '';
  return `${slot ? `memslot ${slot.slot}: ` : ''}${first.errno}: ${first.reason}${more}`;
}

/**
 * Where to plug the new DIMMs: at their saved addresses or, if a memslot is there now, in any gap; the switch that follows maps them as in the
 * layout. Chosen in advance, so that no plug can fail halfway.
 */
function placeDimms(machine: Machine, plan: Plan): number[] | string {
  const taken: Range[] = machine.memory
    .memslots(0)
    .map((slot) => ({ start: slot.baseGfn * PAGE, end: (slot.baseGfn + slot.npages) * PAGE }));
  for (const { addr, maxSize } of machine.virtio.mems()) taken.push({ start: addr, end: addr + maxSize });
  const memory = machine.dimms.window();
  const block = machine.dimms.block();
  const fits = (start: number, size: number): boolean =>
    start % block === 0 &&
    memory.some((range) => start >= range.start && start + size <= range.end) &&
    !taken.some((range) => start < range.end && range.start < start + size);
  const places: number[] = [];
  for (const dimm of plan.newDimms) {
    const wanted = fits(dimm.addr, dimm.size) ? dimm.addr : firstGap(memory, taken, { size: dimm.size, block }, fits);
    if (wanted === undefined) return `there is no room in guest memory to plug DIMM "${dimm.id}" of ${dimm.size} bytes`;
    taken.push({ start: wanted, end: wanted + dimm.size });
    places.push(wanted);
  }
  return places;
}

function firstGap(
  memory: readonly Range[],
  taken: readonly Range[],
  { size, block }: { size: number; block: number },
  fits: (start: number, size: number) => boolean,
): number | undefined {
  const up = (value: number): number => Math.ceil(value / block) * block;
  const candidates = [...memory.map((range) => up(range.start)), ...taken.map((range) => up(range.end))].sort((a, b) => a - b);
  return candidates.find((start) => fits(start, size));
}

/** Creates backends and bare ranges; if host memory runs out, frees those again. */
function allocate(machine: Machine, plan: Plan): string | undefined {
  const made: string[] = [];
  try {
    for (const { id, size } of plan.newBackends) {
      plan.hva.set(id, machine.backends.add(id, size).hva);
      made.push(id);
    }
    for (const { id, size } of plan.newBare) plan.hva.set(id, machine.host.allocate(size, id));
  } catch (error) {
    for (const id of made) machine.backends.delete(id);
    machine.host.collect();
    return (error as Error).message;
  }
  return undefined;
}
