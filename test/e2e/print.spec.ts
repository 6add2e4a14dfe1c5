/** The page on paper: light whatever the theme, nothing cut off, nothing over something else. */
import { expect, plugTwoDimms, test } from './page';

test.use({ colorScheme: 'dark' });

test('a sheet has the guest’s name and flags whole, the history beside nothing, and the map in light colours at once', async ({
  lab,
  page,
}) => {
  await lab.open();
  await plugTwoDimms(lab);
  await lab.monitor('changeset_begin');
  await lab.monitor('memslot_flags 0 -l');
  await expect(page.getByText('1 of 1 fits')).toBeVisible();
  // Printing waits for no frame.
  await page.evaluate(() => Object.assign(window, { requestAnimationFrame: () => 1 }));
  await page.emulateMedia({ media: 'print' });
  const cut = await page.evaluate(() => {
    // A4 between its margins. A sheet does not change the window, which has chosen the arrangement.
    document.body.style.width = '718px';
    return [...document.querySelectorAll<HTMLElement>('header *, .history *')].flatMap((part) => {
      if (!part.checkVisibility() || part.closest('.visually-hidden, svg, [aria-hidden="true"]')) return [];
      const tooWide = part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).display !== 'inline';
      return tooWide || part.getBoundingClientRect().right > 718 ? [`${part.className}: ${part.textContent}`] : [];
    });
  });
  expect(cut).toEqual([]);
  const [name, flags] = await page
    .locator('header :is(.called, .flags small)')
    .evaluateAll((all) => all.map((each) => each.getBoundingClientRect()));
  expect(flags).toMatchObject({ top: expect.closeTo(name!.top, -1) });
  const boxes = await page.locator('.history :is(.commits, .diff)').evaluateAll((all) => all.map((each) => each.getBoundingClientRect()));
  expect(boxes[0]!.bottom).toBeLessThanOrEqual(boxes[1]!.top);
  // The middle of ram.a
  const lightness = await page.locator('.stage canvas').evaluate((canvas: HTMLCanvasElement) => {
    const { data } = canvas.getContext('2d')!.getImageData(canvas.width * 0.2, canvas.height * 0.43, 1, 1);
    return (data[0]! + data[1]! + data[2]!) / 3;
  });
  expect(lightness).toBeGreaterThan(190);
});

for (const { width, height } of [
  { width: 390, height: 844 },
  { width: 844, height: 390 },
])
  test(`a sheet from a window of ${width} by ${height} has map, slots, history and change set, whichever pane is open`, async ({
    lab,
    page,
  }) => {
    await page.setViewportSize({ width, height });
    await lab.open();
    await plugTwoDimms(lab);
    await lab.monitor('changeset_begin');
    await lab.monitor('memslot_flags 0 -l');
    for (const pane of ['History', 'Map', 'More']) {
      await page.getByRole('navigation', { name: 'Panes' }).getByRole('button', { name: pane }).click();
      await page.evaluate(() => Object.assign(window, { requestAnimationFrame: () => 1 }));
      await page.emulateMedia({ media: 'print' });
      await expect(page.getByRole('region', { name: 'Slots' }).getByText('dimm2')).toBeVisible();
      await expect(page.locator('.history .commits').getByText('dimm2')).toBeVisible();
      await expect(page.getByText('1 of 1 fits')).toBeVisible();
      const drawn = await page.locator('.stage canvas').evaluate((canvas: HTMLCanvasElement) => {
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
        return { height: canvas.getBoundingClientRect().height, colours: new Set(new Uint32Array(data.buffer)).size };
      });
      expect(drawn.height, pane).toBeGreaterThan(100);
      expect(drawn.colours, pane).toBeGreaterThan(10);
      await page.emulateMedia({ media: 'screen' });
    }
  });
