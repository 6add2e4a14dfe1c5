/** Colours, patterns and fonts of the canvas, read from the tokens of the current theme. */
import type { SlotView } from '../../../engine/worker/protocol';
import { token } from '../../shared/theme.svelte';

const COLOURS = [
  'pane', 'well', 'raised', 'line', 'edge', 'text', 'text-2', 'text-3', 'accent', 'accent-bg', 'on-accent', 'staged', 'staged-bg', 'bad', 'bad-bg', 'warn',
  'ram', 'ram-mark', 'dimm', 'dimm-mark', 'ro', 'ro-mark', 'inv', 'inv-mark', 'slot-text', 'slot-text-2',
  'heat-0', 'heat-1', 'heat-2', 'heat-3', 'heat-4',
] as const; // biome-ignore format: one list
export type Colour = (typeof COLOURS)[number];

/** `inv`: INVALID, whatever backs it. */
export type Kind = 'ram' | 'dimm' | 'vmem' | 'ro' | 'inv';

/** A kind in words: the table's, the legend's and the inspector's. */
export const KIND_WORDS: Record<SlotView['kind'], string> = {
  ram: 'RAM',
  dimm: 'DIMM',
  'virtio-mem': 'virtio-mem',
  rom: 'ROM',
  bare: 'bare',
};

export interface Palette {
  colour: Record<Colour, string>;
  /** Hotplugged memory has one colour: DIMM and virtio-mem differ by their lines. */
  fill: Record<Kind, string>;
  /** Outline and ribbon */
  mark: Record<Kind, string>;
  pattern: Record<Exclude<Kind, 'ram'> | 'bad' | 'hole', CanvasPattern>;
  font: { label: string; small: string; lane: string; tiny: string };
  /** Width of a character of `label` and of `small`, px. */
  labelWidth: number;
  smallWidth: number;
}

const FILLS: Partial<Record<SlotView['kind'], Kind>> = { dimm: 'dimm', 'virtio-mem': 'vmem' };

/** How a slot is drawn: by its backing, except that read-only comes first. */
export const kindOf = (slot: Pick<SlotView, 'kind' | 'flags'>): Kind =>
  slot.kind === 'rom' || ((slot.flags ?? 0) & 2) !== 0 ? 'ro' : (FILLS[slot.kind] ?? 'ram');

export function readPalette(context: CanvasRenderingContext2D, ratio: number): Palette {
  const colour = Object.fromEntries(COLOURS.map((name) => [name, token(name)])) as Record<Colour, string>;
  const mono = token('mono');
  const font = {
    label: `600 12px ${mono}`,
    small: `11px ${mono}`,
    lane: `600 11px ${token('sans')}`,
    tiny: `600 10.5px ${mono}`,
  };
  const widthIn = (face: string): number => {
    context.font = face;
    return context.measureText('0000000000').width / 10;
  };
  return {
    colour,
    fill: { ram: colour.ram, dimm: colour.dimm, vmem: colour.dimm, ro: colour.ro, inv: colour.inv },
    mark: { ram: colour['ram-mark'], dimm: colour['dimm-mark'], vmem: colour['dimm-mark'], ro: colour['ro-mark'], inv: colour['inv-mark'] },
    font,
    labelWidth: widthIn(font.label),
    smallWidth: widthIn(font.small),
    pattern: {
      dimm: tile(context, ratio, 8, (c) => stroke(c, colour['dimm-mark'], 1, 0.34, [[1, 0, 1, 8]])),
      vmem: tile(context, ratio, 8, (c) => stroke(c, colour['dimm-mark'], 1, 0.34, [[0, 4, 8, 4]])),
      ro: tile(context, ratio, 10, (c) => stroke(c, colour['ro-mark'], 1.6, 0.55, diagonal(10))),
      inv: tile(context, ratio, 9, (c) => stroke(c, colour['inv-mark'], 1, 0.4, [...diagonal(9), ...diagonal(9).map(mirror(9))])),
      bad: tile(context, ratio, 8, (c) => stroke(c, colour.bad, 1.4, 0.6, diagonal(8).map(mirror(8)))),
      hole: tile(context, ratio, 6, (c) => {
        c.globalAlpha = 0.8;
        c.fillStyle = colour.edge;
        c.beginPath();
        c.arc(1, 3, 0.8, 0, 2 * Math.PI);
        c.fill();
      }),
    },
  };
}

type Line = [x0: number, y0: number, x1: number, y1: number];

/** A 45 degree line that continues from tile to tile. */
const diagonal = (side: number): Line[] => [
  [-2, 2, 2, -2],
  [-2, side + 2, side + 2, -2],
  [side - 2, side + 2, side + 2, side - 2],
];
const mirror =
  (side: number) =>
  ([x0, y0, x1, y1]: Line): Line => [side - x0, y0, side - x1, y1];

function stroke(context: CanvasRenderingContext2D, colour: string, width: number, alpha: number, lines: Line[]): void {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.globalAlpha = alpha;
  context.beginPath();
  for (const [x0, y0, x1, y1] of lines) {
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
  }
  context.stroke();
}

/** A pattern tile `side` CSS px wide, sharp at the screen's pixel ratio. */
function tile(
  target: CanvasRenderingContext2D,
  ratio: number,
  side: number,
  paint: (context: CanvasRenderingContext2D) => void,
): CanvasPattern {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = Math.round(side * ratio);
  const context = canvas.getContext('2d');
  const pattern = target.createPattern(canvas, 'repeat');
  if (!context || !pattern) throw new Error('This browser has no 2D canvas.');
  context.scale(canvas.width / side, canvas.width / side);
  paint(context);
  const painted = target.createPattern(canvas, 'repeat') ?? pattern;
  painted.setTransform(new DOMMatrix().scale(side / canvas.width));
  return painted;
}
