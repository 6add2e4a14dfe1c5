/** A commit on the map: animated by the clock, ending in the new layout; without motion a single change and an underline. */
import { expect, type LabPage, plugTwoDimms, type Slot, test } from './page';

const HALF_WAY = 96;
const ALL_THE_WAY = 400;
/** CSS px from the map's upper edge: within the guest lane, near its upper edge and near its base; and below it. */
const TOP = 118;
const BASE = 172;
const BELOW = 179;

const canvas = (lab: LabPage) => lab.page.locator('.stage canvas');
const picture = (lab: LabPage): Promise<string> => canvas(lab).evaluate((element) => (element as HTMLCanvasElement).toDataURL());

/** How many pixels of a row of the map have a token's colour. */
function width(lab: LabPage, token: string, y: number): Promise<number> {
  return canvas(lab).evaluate(
    (element, { name, row }) => {
      const map = element as HTMLCanvasElement;
      const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
      const wanted = [1, 3, 5].map((at) => Number.parseInt(value.slice(at, at + 2), 16));
      const { data } = map.getContext('2d')!.getImageData(0, row * devicePixelRatio, map.width, 1);
      let count = 0;
      for (let x = 0; x < data.length; x += 4) if (wanted.every((part, index) => data[x + index] === part)) count++;
      return count / devicePixelRatio;
    },
    { name: token, row: y },
  );
}

/** Waits until the picture is stable: a pending frame would be lost when the test takes over the clock. */
async function atRest(lab: LabPage): Promise<void> {
  let last = '';
  const unchanged = async (): Promise<boolean> => {
    const before = last;
    last = await picture(lab);
    return last === before;
  };
  await expect.poll(unchanged, { intervals: [250] }).toBe(true);
}

/** From here on the test triggers the page's frames; the worker and its guest keep running. */
async function holdFrames(lab: LabPage): Promise<void> {
  await atRest(lab);
  await lab.page.clock.install();
  await lab.page.clock.pauseAt(Date.now() + 60_000);
}

const frames = (lab: LabPage, ms: number): Promise<void> => lab.page.clock.runFor(ms);

async function exchange(lab: LabPage, a: Slot, b: Slot): Promise<void> {
  await lab.monitor('changeset_begin');
  await lab.monitor(`memslot_move ${a.id} ${b.gpa}`);
  await lab.monitor(`memslot_move ${b.id} ${a.gpa}`);
  await lab.monitor('changeset_commit');
}

test('a new slot grows from its base, and shrinks again on undo', async ({ lab }) => {
  await lab.open();
  await holdFrames(lab);
  await frames(lab, ALL_THE_WAY);
  await lab.monitor('memslot_add 9 0x10000000 64M');
  await frames(lab, HALF_WAY);
  expect(await width(lab, 'ram', TOP)).toBeLessThan((await width(lab, 'ram', BASE)) - 50);
  await frames(lab, ALL_THE_WAY);
  expect(Math.abs((await width(lab, 'ram', TOP)) - (await width(lab, 'ram', BASE)))).toBeLessThan(3);

  await lab.monitor('undo');
  await frames(lab, HALF_WAY);
  expect(await width(lab, 'ram', TOP)).toBeLessThan((await width(lab, 'ram', BASE)) - 50);
});

test('a commit is animated and ends in the new layout; so is the undo', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  const [a, b] = [await lab.slot('dimm1'), await lab.slot('dimm2')];
  await holdFrames(lab);
  await frames(lab, ALL_THE_WAY);
  const before = await picture(lab);

  await exchange(lab, a, b);
  await frames(lab, HALF_WAY);
  const between = await picture(lab);
  await frames(lab, ALL_THE_WAY);
  const after = await picture(lab);
  expect(new Set([before, between, after]).size).toBe(3);

  await lab.monitor('undo');
  await frames(lab, HALF_WAY);
  const back = await picture(lab);
  await frames(lab, ALL_THE_WAY);
  expect(await picture(lab)).toBe(before);
  expect(new Set([before, back, after]).size).toBe(3);

  // Without motion the final picture is the same.
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await lab.monitor('redo');
  await frames(lab, ALL_THE_WAY);
  await page.keyboard.press('Shift');
  await frames(lab, ALL_THE_WAY);
  expect(await picture(lab)).toBe(after);
  expect(lab.errors).toEqual([]);
});

test('with reduced motion the picture changes at once, and changes stay underlined until the next input', async ({ lab, page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await lab.open();
  await plugTwoDimms(lab);
  const [a, b] = [await lab.slot('dimm1'), await lab.slot('dimm2')];
  await page.keyboard.press('Shift');
  await expect.poll(() => width(lab, 'accent', BELOW)).toBe(0);

  await exchange(lab, a, b);
  await expect.poll(() => width(lab, 'accent', BELOW)).toBeGreaterThan(200);
  await page.keyboard.press('Shift');
  await expect.poll(() => width(lab, 'accent', BELOW)).toBe(0);

  // The place of a deleted slot is marked.
  await lab.monitor(`memslot_del ${b.id}`);
  await expect.poll(() => width(lab, 'accent', BELOW)).toBeGreaterThan(100);
  await canvas(lab).click({ position: { x: 900, y: 90 } });
  await expect.poll(() => width(lab, 'accent', BELOW)).toBe(0);
});

test('more than 500 slots that change at once are not animated: a single change and the underline', async ({ lab, page }) => {
  await lab.open();
  await page.evaluate(async () => {
    await window.lab.monitor('changeset_begin');
    for (let i = 0; i < 501; i++) await window.lab.monitor(`memslot_add ${100 + i} 0x${(2 ** 28 + i * 2 ** 21).toString(16)} 4k`);
  });
  await holdFrames(lab);
  await frames(lab, ALL_THE_WAY);
  await lab.monitor('changeset_commit');
  await frames(lab, HALF_WAY);
  const after = await picture(lab);
  expect(await width(lab, 'accent', BELOW)).toBeGreaterThan(500);
  await frames(lab, ALL_THE_WAY);
  expect(await picture(lab)).toBe(after);
});

test('zooming by keys is animated, with reduced motion it is not, and both end at the same place', async ({ lab, page }) => {
  await lab.open();
  const map = page.getByRole('application', { name: 'Map of guest-physical memory' });
  await holdFrames(lab);
  await frames(lab, ALL_THE_WAY);
  const before = await picture(lab);
  await map.focus();
  await page.keyboard.press('+');
  const told = await page.locator('#map-describes').textContent();
  await frames(lab, 64);
  const between = await picture(lab);
  await frames(lab, ALL_THE_WAY);
  const after = await picture(lab);
  expect(new Set([before, between, after]).size).toBe(3);
  expect(await page.locator('#map-describes').textContent()).toBe(told);
  await page.keyboard.press('0');
  await frames(lab, ALL_THE_WAY);
  expect(await picture(lab)).toBe(before);

  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.keyboard.press('+');
  await frames(lab, 64);
  expect(await picture(lab)).toBe(after);
});
