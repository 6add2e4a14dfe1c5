/** State shared by the panes, apart from the machine: the selection, what is under the pointer, the open view. */

import { getContext, setContext } from 'svelte';
import type { MemoryRegion, SlotView, StagedEdit, Unasked } from '../../../engine/worker/protocol';
import type { Lab } from '../../lab/lab.svelte';
import { slotAt } from '../../lab/slots';
import { hex, sentence } from '../../shared/format';
import { guestWord } from '../../shared/guest-word';
import { finalRanges, type Ghost, ghosts, type Range } from '../change-set/staging';
import { Guides } from '../guides/runner.svelte';
import type { Extent } from '../memory-map/axis';
import { Dragging, PHYSICAL_LIMIT } from '../memory-map/dragging.svelte';
import { Heat } from '../memory-map/heat.svelte';
import { Nested } from '../memory-map/nested.svelte';
import { seekIn } from '../registers/seek';
import { Rooms } from './rooms';

/** The field of the inspector that should get the cursor. */
export type InspectorField = 'address' | 'size' | 'flags' | 'split';
/** The inspector's tabs. */
export type InspectorPanel = 'slot' | 'dimms' | 'index' | 'walk' | 'live' | 'cpu' | 'breakpoints' | 'trace';
export type InspectorTask = 'none' | 'add' | 'split';
/** Where one pane is shown at a time; a phone has the inspector below `more`. */
export type PhonePane = 'map' | 'terminals' | 'changes' | 'history' | 'inspect' | 'guides' | 'more';

const WITHOUT_KEYS = '(pointer: coarse)';

/** bytes of the map behind an address that is gone to */
const REVEALED = 2 ** 20;

export class Workspace {
  readonly lab: Lab;
  readonly heat: Heat;
  readonly nested: Nested;
  selected = $state<number | undefined>(undefined);
  /** The keyboard is in the map or its table. */
  mapFocused = $state(false);
  hoverGpa = $state<number | undefined>(undefined);
  /** Entry of the change set whose row or ghost is under the pointer. */
  hoverEntry = $state<number | undefined>(undefined);
  previewing = $state(false);
  mapView = $state<'map' | 'table'>('map');
  /** The address space that map and table show: 0, or 1 for SMM, which is view-only. */
  asId = $state<0 | 1>(0);
  #smmSlots = $state.raw<readonly SlotView[]>([]);
  inspectorField = $state<InspectorField>('address');
  inspectorPanel = $state<InspectorPanel>('slot');
  /** In the wide pane: what stands in the inspector's place; undefined: the inspector's own panel. */
  wideTab = $state<'wide-terminals' | 'wide-changes' | undefined>(undefined);
  /** First end of the history's diff: index of an entry. */
  historyMark = $state<number | undefined>(undefined);
  /** Its second end; undefined: the live entry. */
  historyEnd = $state<number | undefined>(undefined);
  inspectorTask = $state<InspectorTask>('none');
  /** Bumped when a pane should take the focus. */
  focusInspector = $state(0);
  focusAddress = $state(0);
  focusRow = $state(0);
  phonePane = $state<PhonePane>('map');
  /** The terminal that is shown where only one is. */
  terminal = $state<'console' | 'monitor'>('console');
  keysOpen = $state(false);
  /** The vCPU that the CPU pane shows and Step steps. */
  vcpu = $state(0);
  /** What the page walk walks: an expression of the monitor. */
  walkAddress = $state('$rip');
  /** The map shows this range next; the map clears it. */
  reveal = $state.raw<Extent | undefined>(undefined);

  readonly guides: Guides;
  readonly dragging: Dragging;

  constructor(lab: Lab, fetchGuides: ConstructorParameters<typeof Guides>[1]) {
    this.lab = lab;
    this.guides = new Guides(lab, fetchGuides);
    this.heat = new Heat(lab);
    this.nested = new Nested(lab);
    this.dragging = new Dragging(this);
  }

  get slots(): readonly SlotView[] {
    return this.lab.state?.slots ?? [];
  }

  /** By address: the order of the map, the table and the arrow keys. */
  sorted = $derived.by(() => [...this.slots].sort((a, b) => a.guestPhysAddr - b.guestPhysAddr));

  selectedSlot = $derived.by(() => this.slots.find((slot) => slot.slot === this.selected));

  entries = $derived.by(() => this.lab.state?.changeSet.entries ?? []);

  /** Memory that the staged entries would remove without the guest's consent. */
  unasked: readonly Unasked[] = $derived.by(() => this.entries.flatMap((entry) => entry.unasked ?? []));

  /** The command that asks the guest first, to replace the first entry that does not. */
  better = $derived.by(() => {
    for (const { index, ask } of this.unasked) {
      if (!ask) continue;
      const guest = guestWord(this.lab.state?.guest);
      if (ask.do === 'unplug') return { index, label: `Unplug with ${guest}’s consent`, line: `device_del ${ask.dimm}`, unplug: true };
      const addr = ask.refusal === undefined ? ask.addr : ask.nearest;
      if (addr === undefined) continue;
      const where = ask.refusal === undefined ? '' : ` to ${hex(addr)}`;
      return { index, label: `Move${where} with ${guest}’s consent`, line: `device_move ${ask.dimm} ${hex(addr)}`, unplug: false };
    }
    return undefined;
  });

  /** Takes the entry out of the change set and asks the guest instead; other entries stay. */
  async askGuest(): Promise<void> {
    const { lab, better } = this;
    if (!better || lab.refuses()) return;
    await lab.stage(this.entries.length === 1 ? { do: 'abort' } : { do: 'drop', index: better.index });
    try {
      await lab.command(better.line);
      lab.say({ text: `${guestWord(lab.state?.guest)} is asked: ${better.line}.` });
    } catch (error) {
      lab.say({ text: sentence((error as Error).message) });
    }
  }

  /** Not made again while something is dragged. */
  #staged = $derived.by(() => ghosts(this.entries, this.slots));

  ghosts: Ghost[] = $derived.by(() => {
    const staged = this.#staged;
    const dragged = this.dragging.ghost;
    return dragged ? [...staged.filter((ghost) => ghost.slot !== dragged.slot), dragged] : staged;
  });

  /** The layout after the commit, while Preview is on and nothing is refused. */
  previewSlots: SlotView[] | undefined = $derived.by(() => {
    const preview = this.previewing ? this.lab.state?.changeSet.preview : undefined;
    if (!preview) return undefined;
    const live = new Map(this.slots.map((slot) => [slot.slot, slot]));
    return preview.map((region) => {
      // A slot that is new (split off, added) is of the kind of the memory that it shows.
      const kin = live.get(region.slot) ?? this.slots.find((slot) => sharesHost(slot, region));
      const name = kin?.slot === region.slot ? kin.name : 'new';
      return { ...region, name, kind: kin?.kind ?? ('bare' as const) };
    });
  });

  /** One instruction: of the machine, or with several vCPUs, of the one that is shown. */
  step(): void {
    const { lab, vcpu } = this;
    if (lab.state?.run !== 'paused') return;
    if (lab.debug.behind) {
      void lab.debug.go({ do: 'step', vcpu });
      return;
    }
    if (lab.refuses()) return;
    if (lab.state.config.smp === 1) lab.run('step');
    else void seekIn(lab, { vcpu });
  }

  /** By the keys of the map, otherwise by the inspector's address field: a phone has no arrow keys. */
  beginMove(): void {
    if (matchMedia(WITHOUT_KEYS).matches) {
      this.inspectorTask = 'none';
      this.inspectorField = 'address';
      this.focusInspector++;
    } else this.dragging.startMove('keys');
  }

  /** Brings one of the inspector's tabs to the front, from anywhere. */
  openPanel(panel: InspectorPanel): void {
    this.inspectorPanel = panel;
    this.wideTab = undefined;
    this.phonePane = 'inspect';
  }

  /** What map and table show, by address: the live layout, the previewed one, or that of SMM. */
  mapSlots: readonly SlotView[] = $derived.by(() => {
    if (this.asId === 1) return this.#smmSlots;
    return this.previewSlots ? [...this.previewSlots].sort((a, b) => a.guestPhysAddr - b.guestPhysAddr) : this.sorted;
  });

  async showSpace(asId: 0 | 1): Promise<void> {
    this.asId = asId;
    this.select(undefined);
    if (asId === 1) this.#smmSlots = await this.lab.query({ ask: 'memslots-of', asId });
  }

  /** The next one by address. */
  after({ slot }: SlotView): SlotView | undefined {
    return this.sorted[this.sorted.findIndex((each) => each.slot === slot) + 1];
  }

  selectBeside(step: 1 | -1): void {
    const order = this.mapSlots;
    if (!order.length) return;
    const at = order.findIndex((slot) => slot.slot === this.selected);
    const next = at < 0 ? (step > 0 ? 0 : order.length - 1) : Math.min(order.length - 1, Math.max(0, at + step));
    this.select(order[next]?.slot);
  }

  /** Shows gpa and its surroundings in the map, selects the slot there and points at it. */
  goTo(gpa: number): void {
    this.asId = 0;
    this.select(this.slotAt(gpa)?.slot);
    this.reveal = { start: gpa, end: gpa + REVEALED };
    this.hoverGpa = gpa;
    this.phonePane = 'map';
  }

  /** Is there anything at gpa: a slot, a device, or room for DIMMs? */
  lies(gpa: number): boolean {
    const within = ({ start, end }: { start: number; end: number }): boolean => gpa >= start && gpa < end;
    const { state } = this.lab;
    return this.slotAt(gpa) !== undefined || (state?.mmio.some(within) ?? false) || (state?.deviceMemory.some(within) ?? false);
  }

  /** Where the guest sees host memory; undefined where no slot shows it. */
  gpaOf(hva: number): number | undefined {
    const slot = this.slots.find(({ userspaceAddr: start, memorySize }) => hva >= start && hva < start + memorySize);
    return slot && slot.guestPhysAddr + hva - slot.userspaceAddr;
  }

  slotAt(gpa: number): SlotView | undefined {
    return slotAt(this.slots, gpa);
  }

  select(slot: number | undefined): void {
    this.selected = this.asId === 0 ? slot : undefined;
    if (this.inspectorTask === 'split') this.inspectorTask = 'none';
  }

  /** The nearest address to `gpa` where so many bytes fit, in the layout that results from all entries; `slot` itself does not block. */
  nearestRoom(length: number, gpa: number, slot: number): number | undefined {
    return this.#rooms.nearest(length, gpa, PHYSICAL_LIMIT, slot);
  }

  /** In the layout that all entries would lead to, made once for all that is refused. */
  #rooms = $derived.by(() => new Rooms(withKept(finalRanges(this.entries, this.slots, -1), this.lab.state?.virtioMems ?? [])));
  #sizes = $derived(new Map(this.slots.map((slot) => [slot.slot, slot.memorySize])));

  /** A repair for a refused entry: the same edit at the nearest free place. */
  repair(index: number): { label: string; edit: StagedEdit } | undefined {
    const entry = this.entries[index];
    if (!entry?.refusals.some((refusal) => refusal.errno === 'EEXIST')) return undefined;
    const { edit } = entry;
    if (edit.op !== 'move' && edit.op !== 'add') return undefined;
    const length = edit.op === 'add' ? edit.size : (this.#sizes.get(edit.slot) ?? 0);
    const room = this.nearestRoom(length, edit.gpa, edit.slot);
    return room === undefined ? undefined : { label: `move to ${hex(room)}`, edit: { ...edit, gpa: room } };
  }
}

/** With the ranges of virtio-mem devices instead of their plugged parts. */
function withKept(ranges: Range[], kept: readonly { addr: number; maxSize: number }[]): Range[] {
  if (!kept.length) return ranges;
  const rooms = kept.map(({ addr, maxSize }, index) => ({ slot: -1 - index, start: addr, end: addr + maxSize }));
  const outside = ranges.filter(({ start, end }) => !rooms.some((room) => room.start <= start && end <= room.end));
  return [...outside, ...rooms].sort((a, b) => a.start - b.start);
}

const sharesHost = (slot: SlotView, region: MemoryRegion): boolean =>
  slot.userspaceAddr < region.userspaceAddr + region.memorySize && region.userspaceAddr < slot.userspaceAddr + slot.memorySize;

const KEY = Symbol('workspace');
export const provideWorkspace = (workspace: Workspace): Workspace => setContext(KEY, workspace);
export const useWorkspace = (): Workspace => getContext<Workspace>(KEY);
