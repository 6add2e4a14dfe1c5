/** The overview above the lanes: the whole 64 TiB with every slot visible, widths by the logarithm of the size, long holes folded. */
import type { SlotView } from '../../../engine/worker/protocol';
import { GiB, MiB, size, TiB } from '../../shared/format';
import { paintFoldMark } from './paint-guest';
import { kindNow, paintBox, paintText, type Scene } from './scene';
import { thin } from './thin';

interface Item {
  start: number;
  end: number;
  slot?: SlotView;
  /** px */
  x0: number;
  x1: number;
}

const SPACE_END = 2 ** 46;

export class Overview {
  readonly items: readonly Item[];

  /** `kept`: these are there however many there are. */
  constructor(slots: readonly SlotView[], kept: ReadonlySet<number>, left: number, span: number, phone: boolean) {
    const found = collect(thin(slots, kept));
    const weights = found.map((item) => weigh(item, phone));
    const total = weights.reduce((sum, weight) => sum + weight, 0) || 1;
    let x = left;
    this.items = found.map((item, index) => {
      const width = (weights[index]! / total) * span;
      x += width;
      return { ...item, x0: x - width, x1: x };
    });
  }

  toX(gpa: number): number {
    const item = this.items.find((each) => gpa < each.end) ?? this.items.at(-1)!;
    const share = Math.min(1, Math.max(0, (gpa - item.start) / (item.end - item.start)));
    return item.x0 + share * (item.x1 - item.x0);
  }

  toGpa(x: number): number {
    const item = this.items.find((each) => x < each.x1) ?? this.items.at(-1)!;
    const share = Math.min(1, Math.max(0, (x - item.x0) / (item.x1 - item.x0)));
    return item.start + share * (item.end - item.start);
  }
}

function collect(slots: readonly SlotView[]): Omit<Item, 'x0' | 'x1'>[] {
  const found: Omit<Item, 'x0' | 'x1'>[] = [];
  let end = 0;
  for (const slot of slots) {
    const start = slot.guestPhysAddr;
    if (start > end) found.push({ start: end, end: start });
    found.push({ start, end: start + slot.memorySize, slot });
    end = start + slot.memorySize;
  }
  if (end < SPACE_END) found.push({ start: end, end: SPACE_END });
  return found;
}

function weigh({ start, end, slot }: Omit<Item, 'x0' | 'x1'>, phone: boolean): number {
  const length = end - start;
  if (slot) return Math.max(5, (Math.log2(length) - 14) * (phone ? 1.9 : 7));
  if (length > GiB) return phone ? 34 : 118;
  return length > MiB ? (phone ? 16 : 52) : 3;
}

export function paintOverview(scene: Scene, overview: Overview): void {
  const { context, rows, palette, window } = scene;
  const { y, h } = rows.overview;
  for (const { start, end, slot, x0, x1 } of overview.items) {
    if (slot) {
      paintBox(scene, kindNow(scene, slot), x0, x1 - 1, { y, h });
      continue;
    }
    if (end - start <= MiB) continue;
    context.fillStyle = palette.pattern.hole;
    context.fillRect(x0, y + h / 2 - 3, x1 - x0 - 1, 6);
    if (end - start <= GiB) continue;
    const middle = (x0 + x1) / 2;
    const text = end - start >= TiB ? `${Math.round((end - start) / TiB)} TiB` : size(end - start);
    const labelWidth = text.length * palette.smallWidth + 26;
    const named = rows.gutter && x1 - x0 > labelWidth;
    const width = Math.min(x1 - x0, named ? labelWidth : 16);
    context.fillStyle = palette.colour.pane;
    context.fillRect(middle - width / 2, y, width, h);
    paintFoldMark(scene, middle - width / 2 + (named ? 6 : width / 2), y + 5, h - 10);
    if (named) paintText(scene, text, middle + 7, y + 14, palette.font.small, palette.colour['text-3'], 'center');
  }
  const from = overview.toX(window.axis.toGpa(window.u0));
  const to = Math.max(from + 4, overview.toX(window.axis.toGpa(window.u1)));
  context.fillStyle = palette.colour.accent;
  context.globalAlpha = 0.07;
  context.fillRect(from, y - 3.5, to - from, h + 7);
  context.globalAlpha = 1;
  context.strokeStyle = palette.colour.accent;
  context.lineWidth = 1.5;
  context.strokeRect(from - 0.5, y - 3.5, to - from, h + 7);
  context.fillRect(to - 2.5, y + 4, 4, h - 8);
}
