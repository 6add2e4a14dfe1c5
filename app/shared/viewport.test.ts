import { expect, test } from 'vitest';
import { arrange, type Sizes, type View, viewOf } from './viewport.svelte';

const WANTED: Sizes = { map: 338, history: 76, terminals: 604, middle: 384 };

test('height counts as much as width', () => {
  const views: [number, number, View][] = [
    [390, 844, 'phone'],
    [568, 320, 'phone'],
    [320, 256, 'phone'],
    [639, 1000, 'phone'],
    [700, 900, 'phone'],
    [640, 360, 'rail'],
    [667, 375, 'rail'],
    [720, 450, 'rail'],
    [844, 390, 'rail'],
    [853, 480, 'rail'],
    [1024, 600, 'rail'],
    [1440, 500, 'rail'],
    [820, 1180, 'tablet'],
    [1024, 768, 'tablet'],
    [1280, 720, 'short'],
    [1440, 900, 'desktop'],
    [1920, 1080, 'wide'],
  ];
  for (const [width, height, view] of views) expect(viewOf(width, height), `${width}x${height}`).toBe(view);
});

test('whatever the splitters say, every pane keeps room', () => {
  const greedy: Sizes = { map: 5000, history: 5000, terminals: 5000, middle: 5000 };
  const mean: Sizes = { map: 0, history: 0, terminals: 0, middle: 0 };
  for (let width = 720; width <= 2560; width += 80) {
    for (let height = 560; height <= 1440; height += 60) {
      const view = viewOf(width, height);
      if (view === 'phone' || view === 'rail') continue;
      for (const wanted of [WANTED, greedy, mean]) {
        for (const guide of [false, true]) {
          const { sizes, limits } = arrange(view, width, height, guide, wanted);
          const where = `${width}x${height} ${JSON.stringify(wanted)}`;
          const lower = (height - 74 - sizes.map - sizes.history) / (view === 'tablet' ? 2 : 1);
          expect(lower, where).toBeGreaterThanOrEqual(160);
          const beside = view === 'tablet' ? 320 : sizes.terminals + 280 + (guide && view === 'wide' ? 376 : 0);
          expect(width - sizes.middle - beside, where).toBeGreaterThanOrEqual(0);
          for (const pane of ['map', 'history', 'middle'] as const) {
            expect(sizes[pane], where).toBeGreaterThanOrEqual(limits[pane].min);
            expect(limits[pane].max, where).toBeGreaterThanOrEqual(sizes[pane]);
          }
        }
      }
    }
  }
});

test('the standard windows get the sizes that they were drawn with', () => {
  expect(arrange('desktop', 1440, 900, false, WANTED).sizes).toEqual(WANTED);
  const short: Sizes = { map: 268, history: 62, terminals: 558, middle: 390 };
  expect(arrange('short', 1280, 720, false, short).sizes).toEqual(short);
});
