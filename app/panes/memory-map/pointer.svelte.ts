/** What the pointer does on the map: it pans and zooms, moves the overview's window, selects, and drags slots and their ends. */
import type { SlotView } from '../../../engine/worker/protocol';
import type { Workspace } from '../workspace/workspace.svelte';
import type { Overview } from './overview';
import { hostSlotAt } from './paint-host';
import { HANDLED, type Mark, markAt, slotX, toGpa, toGpaBeyond, toX } from './places';
import type { Rows } from './rows';
import type { MapView } from './view.svelte';

const DRAG_THRESHOLD = 3;
const SNAP_PIXELS = 8;
/** px to either side of a handle that still grab it; with a finger */
const HANDLE_REACH = 12;
const HANDLE_REACH_TOUCH = 22;

/** What the canvas shows now. */
export interface Shown {
  readonly canvas: HTMLCanvasElement;
  readonly view: MapView;
  readonly rows: Rows;
  readonly slots: readonly SlotView[];
  readonly editable: boolean;
  /** As painted last. */
  readonly found: readonly Mark[];
  readonly overview: Overview | undefined;
}

export class MapPointer {
  overHandle = $state(false);
  /** Over the count of slots too narrow to tell apart. */
  overBox = $state(false);
  #drag: { kind: 'pan' | 'window' | 'slot' | 'end'; x: number; started: boolean; slot?: SlotView; grip: number } | undefined;
  readonly #workspace: Workspace;
  readonly #shown: Shown;

  constructor(workspace: Workspace, shown: Shown) {
    this.#workspace = workspace;
    this.#shown = shown;
  }

  wheel(event: WheelEvent): void {
    event.preventDefault();
    const { view, rows } = this.#shown;
    const { x } = this.#at(event);
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (sideways) view.pan((event.deltaX || event.deltaY) / rows.span);
    else view.zoom(1.0015 ** Math.max(-400, Math.min(400, event.deltaY * (event.deltaMode ? 16 : 1))), (x - rows.left) / rows.span);
  }

  press(event: PointerEvent): void {
    if (event.button !== 0) return;
    const { canvas, view, rows, slots, found, editable } = this.#shown;
    const workspace = this.#workspace;
    const { x, y } = this.#at(event);
    canvas.setPointerCapture(event.pointerId);
    if (inLane(y, rows.overview)) {
      this.#drag = { kind: 'window', x, started: false, grip: 0 };
      this.#centre(x);
      return;
    }
    const end = inLane(y, rows.guest) ? this.#grabbedEnd(event, x) : undefined;
    if (end) {
      this.#drag = { kind: 'end', x, started: false, slot: end, grip: 0 };
      return;
    }
    const mark = this.#countedAt(x, y) ?? (inLane(y, rows.guest) ? markAt(found, x) : undefined);
    const only = mark?.slots.length === 1 ? mark.slots[0] : undefined;
    if (mark && !only) {
      const last = mark.slots.at(-1)!;
      view.show({ start: mark.slots[0]!.guestPhysAddr, end: last.guestPhysAddr + last.memorySize });
      return;
    }
    const ghost = inLane(y, rows.staged) ? this.#ghostAt(x) : undefined;
    const target = only ?? (ghost ? workspace.slots.find((slot) => slot.slot === ghost.slot) : undefined);
    if (inLane(y, rows.guest) || ghost) workspace.select(target?.slot);
    const { state } = workspace.lab;
    if (inLane(y, rows.host) && state) workspace.select(hostSlotAt({ rows, state, slots }, x, y)?.slot);
    const draggable = target && editable && event.pointerType !== 'touch';
    this.#drag = draggable ? { kind: 'slot', x, started: false, slot: target, grip: 0 } : { kind: 'pan', x, started: false, grip: 0 };
  }

  move(event: PointerEvent): void {
    const { rows } = this.#shown;
    const workspace = this.#workspace;
    const { x, y } = this.#at(event);
    const overLanes = y >= rows.ticks.y && y < rows.ribbons.y && x >= rows.left && x <= rows.left + rows.span;
    workspace.hoverGpa = overLanes && event.pointerType !== 'touch' ? this.#gpaAt(x) : undefined;
    this.overHandle = inLane(y, rows.guest) && this.#grabbedEnd(event, x) !== undefined;
    this.overBox = this.#countedAt(x, y) !== undefined;
    workspace.hoverEntry = inLane(y, rows.staged) ? this.#ghostAt(x)?.entry : undefined;
    this.#dragTo(event, x);
  }

  release(): void {
    const drag = this.#drag;
    const workspace = this.#workspace;
    if (drag?.kind === 'slot' && drag.started) void workspace.dragging.dropMove();
    if (drag?.kind === 'end' && drag.started) void workspace.dragging.dropResize();
    // A click next to a handle goes to what is there.
    else if (drag?.kind === 'end') workspace.select(markAt(this.#shown.found, drag.x)?.slots[0]?.slot);
    this.#drag = undefined;
  }

  cancel(): void {
    this.#workspace.dragging.cancel();
    this.#drag = undefined;
  }

  leave(): void {
    this.#workspace.hoverGpa = undefined;
    this.#workspace.hoverEntry = undefined;
  }

  #dragTo(event: PointerEvent, x: number): void {
    const drag = this.#drag;
    const { view, rows } = this.#shown;
    const workspace = this.#workspace;
    if (!drag) return;
    if (!drag.started && Math.abs(x - drag.x) <= DRAG_THRESHOLD) return;
    // Esc has cancelled it.
    if (drag.started && ((drag.kind === 'slot' && !workspace.dragging.moving) || (drag.kind === 'end' && !workspace.dragging.resizing))) {
      this.#drag = undefined;
      return;
    }
    if (drag.kind === 'window') this.#centre(x);
    else if (drag.kind === 'end' && drag.slot) {
      workspace.dragging.resizeTo(drag.slot, this.#gpaAt(x) - drag.slot.guestPhysAddr, this.#snapReach(), event.altKey);
    } else if (drag.kind === 'pan') {
      view.pan((drag.x - x) / rows.span);
      drag.x = x;
    } else this.#dragSlot(event, x);
    drag.started = true;
  }

  #dragSlot(event: PointerEvent, x: number): void {
    const drag = this.#drag;
    const { view, rows } = this.#shown;
    const workspace = this.#workspace;
    if (!drag?.slot) return;
    if (!drag.started) {
      workspace.dragging.startMove('pointer', drag.slot);
      drag.grip = drag.x - toX({ rows, window: view.window }, workspace.dragging.moving?.gpa ?? drag.slot.guestPhysAddr);
    }
    const wanted = toGpaBeyond({ rows, window: view.window }, x - drag.grip);
    workspace.dragging.moveTo(event.altKey ? wanted : workspace.dragging.snap(wanted, this.#snapReach()));
  }

  /** The slots too narrow to tell apart whose count box, above them, is there. */
  #countedAt(x: number, y: number): Mark | undefined {
    const { rows, found } = this.#shown;
    if (y < rows.guest.y - 15 || y >= rows.guest.y - 2) return undefined;
    return found.find(({ box }) => box && x >= box.x0 && x <= box.x1);
  }

  #ghostAt(x: number): Workspace['ghosts'][number] | undefined {
    const gpa = this.#gpaAt(x);
    return this.#workspace.ghosts.find((each) => gpa >= each.start && gpa < each.end);
  }

  /** The selected slot, when x is on the handle at its end. */
  #grabbedEnd({ pointerType }: PointerEvent, x: number): SlotView | undefined {
    const { view, rows, editable } = this.#shown;
    const slot = this.#workspace.selectedSlot;
    if (!slot || !editable) return undefined;
    const reach = pointerType === 'touch' ? HANDLE_REACH_TOUCH : HANDLE_REACH;
    const [x0, x1] = slotX({ rows, window: view.window }, slot);
    return x1 - x0 >= HANDLED && Math.abs(x - x1) <= reach ? slot : undefined;
  }

  #centre(x: number): void {
    const { view, overview } = this.#shown;
    const { axis, u0, u1 } = view.window;
    if (!overview) return;
    view.pan((axis.toU(overview.toGpa(x)) - (u0 + u1) / 2) / (u1 - u0));
  }

  #at(event: MouseEvent): { x: number; y: number } {
    const box = this.#shown.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #gpaAt(x: number): number {
    const { rows, view } = this.#shown;
    return toGpa({ rows, window: view.window }, x);
  }

  /** Bytes within which an edge snaps. */
  #snapReach(): number {
    const { rows, view } = this.#shown;
    return (SNAP_PIXELS * (view.window.u1 - view.window.u0)) / rows.span;
  }
}

const inLane = (y: number, lane: { y: number; h: number }): boolean => y >= lane.y - 2 && y < lane.y + lane.h + 2;
