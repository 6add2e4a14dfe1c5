/** The host's side of the map: host memory drawn to its own scale, and ribbons from each slot to what backs it. */
import type { Backend, LabState, SlotView } from '../../../engine/worker/protocol';
import { hex, MiB, shortName, size } from '../../shared/format';
import { type HostRow, hostRows } from './host-rows';
import { kindOf } from './palette';
import { absence, type Mark, presence, slotHva, slotX } from './places';
import type { Lane } from './rows';
import { faded, MANY_SLOTS, paintBox, paintText, type Scene, withinLanes } from './scene';

/** px: a narrower box in the host lane has no outline. */
const OUTLINED = 3;
/** px: a lower lane has no labels. */
const LABELLED = 13;

interface HostView {
  byHva: readonly SlotView[];
  rows: ReadonlyMap<number, HostRow>;
  /** bytes: what of host memory the lane shows */
  end: number;
  /** Backends that no slot maps: they exist, but the guest cannot see them. */
  free: readonly Backend[];
}

/** The host's view of a layout, computed once for each layout. */
const views = new WeakMap<readonly SlotView[], { state: LabState; view: HostView }>();

function hostView({ state, slots }: Pick<Scene, 'state' | 'slots'>): HostView {
  const known = views.get(slots);
  if (known?.state === state) return known.view;
  const byHva = [...slots].sort((a, b) => a.userspaceAddr - b.userspaceAddr);
  let used = Math.max(64 * MiB, state.hostBase);
  for (const slot of slots) used = Math.max(used, slot.userspaceAddr + slot.memorySize);
  for (const backend of state.backends) used = Math.max(used, backend.hva + backend.size);
  const grain = 2 ** Math.max(24, Math.floor(Math.log2(used)) - 2);
  const end = Math.min(Math.max(state.hostSize, used), Math.ceil((used + 1) / grain) * grain);
  const free = state.backends.filter((backend) => !slots.some((slot) => sharesHost(slot, backend)));
  const view = { byHva, rows: hostRows(byHva), end, free };
  views.set(slots, { state, view });
  return view;
}

/** The slot that is drawn at a place of the host lane. */
export function hostSlotAt({ rows, state, slots }: Pick<Scene, 'rows' | 'state' | 'slots'>, x: number, y: number): SlotView | undefined {
  const view = hostView({ state, slots });
  const hva = ((x - rows.left) / rows.span) * view.end;
  const half: HostRow['row'] = y < rows.host.y + rows.host.h / 2 ? 'upper' : 'lower';
  const holds = ({ userspaceAddr: start, memorySize }: SlotView): boolean => hva >= start && hva < start + memorySize;
  return view.byHva.findLast((slot) => holds(slot) && (view.rows.get(slot.slot)?.row ?? half) === half);
}

export function paintHost(scene: Scene, found: readonly Mark[]): void {
  const { context, rows, palette, state } = scene;
  const { host } = rows;
  const view = hostView(scene);
  const x = (hva: number): number => rows.left + (hva / view.end) * rows.span;
  paintRibbons(scene, found, x);
  context.fillStyle = palette.colour.well;
  context.fillRect(rows.left, host.y, rows.span, host.h);
  context.fillStyle = palette.pattern.hole;
  context.fillRect(rows.left, host.y + host.h / 2 - 3, Math.max(0, x(state.hostBase) - rows.left - 2), 6);
  withinLanes(scene, () => {
    for (const backend of view.free) paintFree(scene, backend, x);
    paintBacked(scene, view, x);
  });
  if (rows.hostTicks) paintHostTicks(scene, view.end, x);
}

const sharesHost = (slot: SlotView, { hva, size: length }: Backend): boolean =>
  slot.userspaceAddr < hva + length && hva < slot.userspaceAddr + slot.memorySize;

function paintFree(scene: Scene, backend: Backend, x: (hva: number) => number): void {
  const { context, rows, palette } = scene;
  const { host } = rows;
  const x0 = x(backend.hva);
  const width = Math.max(2, x(backend.hva + backend.size) - x0);
  context.setLineDash([2, 3]);
  context.strokeStyle = palette.colour.edge;
  context.lineWidth = 1;
  context.strokeRect(Math.round(x0) + 0.5, host.y + 0.5, Math.round(width) - 1, host.h - 1);
  context.setLineDash([]);
  if (width > backend.id.length * palette.smallWidth + 10) {
    paintText(scene, backend.id, x0 + 6, host.y + host.h / 2 + 4, palette.font.small, palette.colour['text-3']);
  }
}

/** Backed ranges by hva. Where slots share host memory, they share the height. */
function paintBacked(scene: Scene, { byHva, rows: shared }: HostView, x: (hva: number) => number): void {
  const { context, rows, palette } = scene;
  const { host } = rows;
  const half = host.h / 2;
  const lanes: Record<HostRow['row'], Lane> = { upper: { y: host.y, h: half }, lower: { y: host.y + half, h: half } };
  let painted = '';
  for (const slot of byHva) {
    const [start, end] = slotHva(scene, slot);
    const x0 = x(start);
    const x1 = Math.max(x0 + 2, x(end));
    const row = shared.get(slot.slot);
    const lane = row ? lanes[row.row] : host;
    const chosen = slot.slot === scene.selected;
    if (x1 - x0 < OUTLINED && !chosen) {
      // Too narrow for an outline: thousands side by side would be nothing but outlines, and many would fall on one pixel.
      const here = `${Math.round(x0)} ${lane.y} ${kindOf(slot)}`;
      if (here === painted) continue;
      painted = here;
      context.fillStyle = palette.fill[kindOf(slot)];
      context.fillRect(x0, lane.y + 1, x1 - x0, lane.h - 2);
      continue;
    }
    paintBox(scene, kindOf(slot), x0, x1, lane);
    if (lane.h >= LABELLED) paintBackedLabel(scene, slot, x0, row ? Math.min(x1, x(row.until)) : x1, lane);
    if (chosen) {
      context.strokeStyle = palette.colour.accent;
      context.lineWidth = 2;
      context.strokeRect(x0 - 0.5, lane.y - 0.5, x1 - x0 + 1, lane.h + 1);
    }
  }
}

function paintBackedLabel(scene: Scene, slot: SlotView, x0: number, x1: number, { y, h }: Lane): void {
  const { context, palette } = scene;
  const kind = kindOf(slot);
  const named = `${slot.slot} ${shortName(slot.name)}`;
  const label = x1 - x0 > named.length * palette.labelWidth + 14 ? named : String(slot.slot);
  const width = label.length * palette.labelWidth;
  if (x1 - x0 <= width + 6) return;
  const left = label === named ? x0 + 6 : (x0 + x1 - width) / 2;
  const height = Math.min(16, h - 2);
  if (kind !== 'ram' && x1 - x0 > width + 10) {
    context.fillStyle = palette.fill[kind];
    context.fillRect(left - 3, y + (h - height) / 2, width + 6, height);
  }
  paintText(scene, label, left, y + h / 2 + 4, palette.font.label, palette.colour['slot-text']);
}

function paintHostTicks(scene: Scene, end: number, x: (hva: number) => number): void {
  const { context, rows, palette } = scene;
  const y = rows.host.y + rows.host.h;
  const step = 2 ** Math.ceil(Math.log2((end / rows.span) * 100));
  context.strokeStyle = palette.colour.edge;
  context.lineWidth = 1;
  context.beginPath();
  for (let hva = 0; hva < end; hva += step) {
    const at = Math.round(x(hva)) + 0.5;
    context.moveTo(at, y);
    context.lineTo(at, y + 5);
    const text = hva ? hex(hva) : 'hva 0x0';
    if (at + text.length * palette.smallWidth + 4 < rows.width)
      paintText(scene, text, at + 4, y + 13, palette.font.small, palette.colour['text-3']);
  }
  context.stroke();
  if (rows.gutter && rows.tall)
    paintText(scene, size(end), 12, rows.host.y + rows.host.h / 2 + 14, palette.font.small, palette.colour['text-3']);
}

/** From the slot's place in guest memory to its place in host memory. Among many slots only the selected ones are shown. */
function paintRibbons(scene: Scene, found: readonly Mark[], x: (hva: number) => number): void {
  const { slots, selected, hoverGpa, motion } = scene;
  const hovered =
    hoverGpa === undefined
      ? undefined
      : slots.find((slot) => hoverGpa >= slot.guestPhysAddr && hoverGpa < slot.guestPhysAddr + slot.memorySize);
  const ribbon = (slot: SlotView, strong: boolean): void => {
    const { grown, alpha } = presence(scene, slot);
    faded(scene, grown * alpha, () => paintRibbon(scene, slot, x, strong));
  };
  withinLanes(scene, () => {
    for (const slot of motion && slots.length <= MANY_SLOTS ? motion.gone : []) {
      const { grown, alpha } = absence(motion!);
      faded(scene, grown * alpha, () => paintRibbon(scene, slot, x, false));
    }
    for (const slot of ribboned(scene, found)) if (slot.slot !== selected) ribbon(slot, slot === hovered);
    if (hovered && slots.length > MANY_SLOTS) ribbon(hovered, true);
    const chosen = slots.find((slot) => slot.slot === selected);
    if (chosen) ribbon(chosen, true);
  });
}

function ribboned({ slots, changed }: Scene, found: readonly Mark[]): readonly SlotView[] {
  if (slots.length <= MANY_SLOTS) return slots;
  const visible = found.flatMap((mark) => mark.slots);
  if (visible.length <= MANY_SLOTS) return visible;
  return visible.filter((slot) => changed.has(slot.slot)).slice(0, MANY_SLOTS);
}

function paintRibbon(scene: Scene, slot: SlotView, x: (hva: number) => number, strong: boolean): void {
  const { context, rows, palette } = scene;
  const { y, h } = rows.ribbons;
  const clamp = (at: number): number => Math.min(rows.left + rows.span + 2, Math.max(rows.left - 2, at));
  const [start, end] = slotX(scene, slot);
  const a0 = clamp(start);
  const a1 = clamp(Math.max(a0 + 1.5, end));
  const [from, to] = slotHva(scene, slot);
  const b0 = x(from);
  const b1 = Math.max(b0 + 1.5, x(to));
  const middle = y + h / 2;
  const chosen = slot.slot === scene.selected;
  const colour = chosen ? palette.colour.accent : palette.mark[kindOf(slot)];
  context.beginPath();
  context.moveTo(a0, y);
  context.bezierCurveTo(a0, middle, b0, middle, b0, y + h);
  context.lineTo(b1, y + h);
  context.bezierCurveTo(b1, middle, a1, middle, a1, y);
  context.closePath();
  // No translation leads there now.
  const cut = scene.invalid.has(slot.slot);
  if (cut) context.setLineDash([4, 3]);
  else {
    context.fillStyle = colour;
    faded(scene, strong ? 0.26 : 0.11, () => context.fill());
  }
  context.strokeStyle = colour;
  context.lineWidth = 1;
  faded(scene, strong ? 0.95 : 0.4, () => context.stroke());
  context.setLineDash([]);
}
