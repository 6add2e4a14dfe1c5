/** What a commit looks like on the map: on its way by the clock, at its end the layout; without motion one change and a line under it. */
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

/** The picture stays as it is: a frame that is under way when the clock is taken over would never come. */
async function atRest(lab: LabPage): Promise<void> {
  let last = '';
  const unchanged = async (): Promise<boolean> => {
    const before = last;
    last = await picture(lab);
    return last === before;
  };
  await expect.poll(unchanged, { intervals: [250] }).toBe(true);
}

/** From here on the page's frames come when the test says so; the worker and its guest run on. */
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

test('what is new grows from its base, and shrinks again when that is undone', async ({ lab }) => {
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

test('a commit is shown on its way, and ends as the layout; so does the undo', async ({ lab, page }) => {
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

  // Without motion the same layout is the same picture.
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await lab.monitor('redo');
  await frames(lab, ALL_THE_WAY);
  await page.keyboard.press('Shift');
  await frames(lab, ALL_THE_WAY);
  expect(await picture(lab)).toBe(after);
  expect(lab.errors).toEqual([]);
});

test('with reduced motion the picture changes at once, and a line underlines what changed until the next input', async ({ lab, page }) => {
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

  // What is deleted leaves its place, and that is marked.
  await lab.monitor(`memslot_del ${b.id}`);
  await expect.poll(() => width(lab, 'accent', BELOW)).toBeGreaterThan(100);
  await canvas(lab).click({ position: { x: 900, y: 90 } });
  await expect.poll(() => width(lab, 'accent', BELOW)).toBe(0);
});

test('more than 500 slots that change at once do not slide: one change and the line', async ({ lab, page }) => {
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

test('zooming by keys takes a moment, with reduced motion none, and both end at the same place', async ({ lab, page }) => {
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
