/** axe (WCAG 2.0 A to 2.2 AA and best practice) in the page's main states, both themes, and no sideways scroll at any size. */
import { noSidewaysScroll, violationsInBothThemes } from './axe';
import { expect, type LabPage, openLongReplay, plugTwoDimms, test } from './page';

/** Leaves a DIMM between the two swaps of its move. */
async function plugOneAndStep(lab: LabPage): Promise<void> {
  await lab.monitor('object_add memory-backend-ram,id=mem1,size=64M');
  await lab.monitor('device_add pc-dimm,id=dimm1,memdev=mem1');
  const { id } = await lab.slot('dimm1');
  for (const line of ['changeset_begin', `memslot_move ${id} 0x100000000`, 'changeset_commit -s']) await lab.monitor(line);
  for (let n = 0; n < 4; n++) await lab.monitor('changeset_step');
}

const VIEWPORTS = [
  { width: 1920, height: 1080 },
  { width: 1280, height: 720 },
  { width: 390, height: 844 },
];

test('axe finds nothing in any state', async ({ lab, page }) => {
  test.setTimeout(180_000);
  await lab.open();
  const check = async (state: string) => expect(await violationsInBothThemes(lab), state).toEqual([]);
  await check('as opened');

  await plugTwoDimms(lab);
  const [first, second] = [await lab.slot('dimm1'), await lab.slot('dimm2')];
  for (const line of ['changeset_begin', `memslot_move ${first.id} 0x${second.gpa.toString(16)}`, `memslot_flags ${second.id} -l`]) {
    await lab.monitor(line);
  }
  await expect(page.getByText('EEXIST').first()).toBeVisible();
  await check('two staged, one refused');

  await page.getByRole('button', { name: 'Table' }).click();
  await check('table');
  await page.getByRole('button', { name: 'Map', exact: true }).click();

  await lab.monitor('changeset_abort');
  for (const line of ['changeset_begin', `memslot_move ${first.id} 0x100000000`, 'changeset_commit -s']) await lab.monitor(line);
  await expect(page.getByRole('list', { name: 'Phases of the commit' })).toBeVisible();
  await check('a commit before its first phase');
  for (let n = 0; n < 4; n++) await lab.monitor('changeset_step');
  await expect(page.getByText('Between swap 1 and swap 2')).toBeVisible();
  await check('between the swaps');
  await page.getByRole('button', { name: 'Table' }).click();
  await check('table with an INVALID slot');
  await page.getByRole('button', { name: 'Map', exact: true }).click();
  await page.getByRole('tab', { name: 'Index' }).click();
  await expect(page.getByRole('img', { name: /^B-tree, inactive set/ })).toBeVisible();
  await check('index between the swaps');
  await lab.monitor('changeset_step -a');
  await lab.monitor('undo');
  for (const line of ['changeset_begin', `memslot_move ${first.id} 0x${second.gpa.toString(16)}`, `memslot_flags ${second.id} -l`])
    await lab.monitor(line);

  await page.getByRole('application', { name: 'Map of guest-physical memory' }).focus();
  await page.keyboard.press('End');
  await check('slot selected');
  await page.keyboard.press('m');
  await check('moving by keys');
  await page.keyboard.press('Escape');
  await page.keyboard.press('a');
  await check('new slot');
  await page.getByRole('tab', { name: 'DIMMs' }).click();
  await check('DIMMs');
  await page.getByRole('tab', { name: 'Index' }).click();
  await page.getByLabel('Look up').fill(`0x${first.gpa.toString(16)}`);
  await expect(page.getByRole('img', { name: /^B-tree, active set/ })).toHaveAccessibleName(/The lookup visits/);
  await check('index, an address looked up');
  await page.getByLabel('Look up').fill('nowhere');
  await check('index, a wrong address');
  await page.getByRole('tab', { name: 'CPU' }).click();
  await check('registers');
  await lab.monitor('stop');
  await page.keyboard.press('F10');
  for (const title of ['Segments', 'Flags, control and debug', 'x87', 'SSE']) await page.getByText(title, { exact: true }).click();
  await page
    .getByRole('button', { name: /show the code there/ })
    .first()
    .click();
  await expect(page.getByRole('button', { name: 'Back to rip' })).toBeVisible();
  await check('vCPU stopped, everything unfolded, a target followed');
  await lab.monitor('cont');
  await page.getByRole('tab', { name: 'Live' }).click();
  await expect(page.locator('.chart .line')).toHaveCount(8);
  await check('live charts');
  await page.getByRole('tab', { name: 'Page walk' }).click();
  await expect(page.getByText('PML4E[0]')).toBeVisible();
  await check('page walk');
  await page.getByLabel('gva').fill('0x8000000000');
  await page.getByLabel('gva').press('Enter');
  await expect(page.getByText('Stops here:')).toBeVisible();
  await check('page walk that stops');
  await page.getByRole('button', { name: 'as 1 SMM' }).click();
  await check('as 1, empty');
  await page.getByRole('button', { name: 'Show as 0' }).click();

  const kept = page.getByRole('region', { name: 'Change set and snapshots' });
  await lab.monitor('layout_save kept');
  await page.getByLabel('Snapshot file to import').setInputFiles({ name: 'broken.mslm', mimeType: '', buffer: Buffer.from('no') });
  await expect(page.getByRole('alert').filter({ hasText: 'broken.mslm was refused:' })).toBeVisible();
  await kept.getByRole('button', { name: /^Save/ }).click();
  await check('snapshots: one in the list, one being named, one refused');

  await page.getByRole('button', { name: 'Share' }).click();
  await expect(page.getByRole('dialog', { name: 'Share' }).getByLabel('Link')).toHaveValue(/#l=/);
  await check('share');
  await page.getByRole('dialog', { name: 'Share' }).getByRole('button', { name: 'Replay' }).click();
  await expect(page.getByRole('dialog', { name: 'Share' }).getByLabel('Link')).toHaveValue(/#r=/);
  await check('share a replay');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: /choose another guest/ }).click();
  await check('guest picker');
  await page.getByLabel('-smp').fill('9');
  await page.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(page.getByRole('alert').filter({ hasText: '-smp 9' })).toBeVisible();
  await check('guest picker, a flag refused');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Keys', exact: true }).click();
  await check('keys');
  await page.keyboard.press('Escape');
  await lab.monitor('changeset_abort');
  await page.getByRole('button', { name: 'Guides', exact: true }).click();
  await check('guides');
  const guide = page.getByRole('region', { name: 'Guide', exact: true });
  await guide.getByRole('button', { name: /^Exchange two regions/ }).click();
  await guide.getByRole('button', { name: 'Do it: Let the guest read one of them' }).click();
  await expect(guide).toContainText('step 3 of 4');
  await check('guide at its third step');
  await page.setViewportSize(VIEWPORTS[0]!);
  await check('guide in a column of its own');
});

test('axe finds nothing at any size', async ({ lab, page }) => {
  await lab.open();
  for (const viewport of VIEWPORTS) {
    await page.setViewportSize(viewport);
    expect(await violationsInBothThemes(lab), `${viewport.width}x${viewport.height}`).toEqual([]);
  }
  await page.getByRole('button', { name: /choose another guest/ }).click();
  expect(await violationsInBothThemes(lab), 'phone, guest picker').toEqual([]);
  await page.keyboard.press('Escape');
  await plugOneAndStep(lab);
  expect(await violationsInBothThemes(lab), 'phone, between the swaps').toEqual([]);
  for (const pane of ['Terminals', 'Changes', 'History', 'Guides', 'More']) {
    await page.getByRole('navigation', { name: 'Panes' }).getByRole('button', { name: pane }).click();
    expect(await violationsInBothThemes(lab), `phone, ${pane}`).toEqual([]);
  }
});

test('axe finds nothing while a replay runs and after it', async ({ lab, page }) => {
  test.setTimeout(180_000);
  await lab.open();
  await openLongReplay(lab);
  expect(await violationsInBothThemes(lab), 'replaying').toEqual([]);
  for (const width of [320, 390, 720, 820, 1024, 1280, 1440, 1920]) {
    await page.setViewportSize({ width, height: width < 720 ? 844 : 800 });
    await expect.poll(() => noSidewaysScroll(lab), { message: `replaying, ${width}` }).toBe(true);
  }
  await expect(page.getByText('the digest is equal')).toBeVisible({ timeout: 120_000 });
  expect(await violationsInBothThemes(lab), 'replayed').toEqual([]);
});

test('axe finds nothing when the worker is silent, or gone, or a guide has earlier figures', async ({ lab, page }) => {
  await page.addInitScript(() => {
    const measures = { two: { swaps: 3, holes: 7, zapped: 16384 }, one: { swaps: 2, holes: 0, zapped: 16384 } };
    localStorage.setItem('memslot-lab guides', JSON.stringify({ move: { at: 1764167612000, build: 'older', measures } }));
  });
  await lab.open('./#guide=move');
  await expect(page.getByRole('region', { name: 'Measured earlier' })).toContainText('by another build of the page (older)');
  expect(await violationsInBothThemes(lab), 'earlier figures').toEqual([]);
  // For as long as the page is visible.
  await page.workers()[0]?.evaluate(() => {
    setTimeout(() => {
      for (;;);
    });
  });
  await expect(page.getByRole('alert').filter({ hasText: 'The worker does not answer.' })).toBeVisible();
  expect(await violationsInBothThemes(lab), 'a silent worker').toEqual([]);
  for (const width of [320, 390, 720, 1024, 1440]) {
    await page.setViewportSize({ width, height: 844 });
    await expect.poll(() => noSidewaysScroll(lab), { message: `a silent worker, ${width} px` }).toBe(true);
  }
  await page.getByRole('button', { name: 'Restart' }).click();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await lab.consoleEndsWith(/lab> $/);
  // The hung worker may not have ended yet.
  await page
    .workers()
    .at(-1)
    ?.evaluate(() => self.close());
  await expect(page.getByRole('alert').filter({ hasText: 'The worker stopped.' })).toBeVisible();
  expect(await violationsInBothThemes(lab), 'a dead worker').toEqual([]);
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await violationsInBothThemes(lab), 'a dead worker, phone').toEqual([]);
  await expect.poll(() => noSidewaysScroll(lab)).toBe(true);
});

test('no size scrolls sideways', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  await page.getByRole('button', { name: 'Guides', exact: true }).click();
  await page.getByRole('button', { name: /^Ten flags/ }).click();
  for (const width of [320, 360, 390, 412, 720, 820, 1024, 1200, 1280, 1366, 1440, 1920, 2560]) {
    await page.setViewportSize({ width, height: width < 720 ? 844 : 800 });
    await expect.poll(() => noSidewaysScroll(lab), { message: `${width} px` }).toBe(true);
  }
});

test('F6 cycles through the panes', async ({ lab, page }) => {
  await lab.open();
  const map = page.getByRole('application', { name: 'Map of guest-physical memory' });
  await map.focus();
  const visited: string[] = [];
  for (let i = 0; i < 6; i++) {
    await page.keyboard.press('F6');
    visited.push(await page.evaluate(() => document.activeElement?.closest('[data-pane]')?.getAttribute('aria-label') ?? ''));
  }
  expect(visited).toEqual(['History', 'Guest console', 'Monitor', 'Change set and snapshots', 'Inspector', 'Memory map']);
  // On the map itself, not on a button of its head.
  await expect(map).toBeFocused();
});

test('every row of tabs is one tab stop, and arrow keys cycle through it', async ({ lab, page }) => {
  await page.setViewportSize({ width: 1280, height: 720 });
  await lab.open();
  for (const [label, titles] of [
    ['Terminals', ['Console', 'Monitor']],
    ['Change set and snapshots', ['Change set', 'Snapshots']],
    ['Inspector', ['Slot', 'DIMMs', 'Index', 'Page walk', 'Live', 'CPU', 'Breakpoints', 'Trace']],
  ] as const) {
    const tabs = page.getByRole('tablist', { name: label }).getByRole('tab');
    await expect(tabs).toHaveText(titles);
    const tops = await tabs.evaluateAll((all) => all.map((tab) => tab.getBoundingClientRect().top));
    expect(new Set(tops), `the rows that the tabs of ${label} take`).toHaveProperty('size', 1);
    await tabs.first().focus();
    for (const title of [...titles.slice(1), titles[0]]) {
      await page.keyboard.press('ArrowRight');
      const tab = tabs.filter({ hasText: new RegExp(`^\\s*${title}\\s*$`) });
      await expect(tab).toBeFocused();
      await expect(tab).toHaveAttribute('aria-selected', 'true');
      await expect(page.locator(`#${await tab.getAttribute('aria-controls')}`)).toBeVisible();
      await expect(page.getByRole('tablist', { name: label }).locator('[tabindex="0"]')).toHaveCount(1);
    }
    await page.keyboard.press('ArrowLeft');
    await expect(tabs.last()).toBeFocused();
  }
});
