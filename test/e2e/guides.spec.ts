/** The guides: each completed by pointer, one by keyboard, one by hand; and their messages when the machine is in an unexpected state. */
import type { Locator } from '@playwright/test';
import { expect, type LabPage, test } from './page';

const pane = (lab: LabPage): Locator => lab.page.getByRole('region', { name: 'Guide', exact: true });
const doIt = (lab: LabPage): Locator => pane(lab).getByRole('button', { name: /^Do it: / });
const step = (lab: LabPage, title: string): Locator => pane(lab).getByRole('listitem').filter({ hasText: title });
const isDone = (lab: LabPage, title: string) => expect(step(lab, title)).toContainText(', done', { timeout: 30_000 });

async function open(lab: LabPage, guide: string): Promise<void> {
  await lab.open(`./#guide=${guide}`);
  await expect(pane(lab)).toBeVisible();
}

/** Does every step by its button; returns the titles in order. */
async function toTheEnd(lab: LabPage, press: (button: Locator) => Promise<void> = (button) => button.click()): Promise<string[]> {
  const done: string[] = [];
  for (;;) {
    const label = await doIt(lab).getAttribute('aria-label');
    const title = (label ?? '').replace('Do it: ', '');
    await press(doIt(lab));
    await isDone(lab, title);
    done.push(title);
    if (await pane(lab).getByRole('button', { name: 'Start over' }).isVisible()) return done;
    await expect(doIt(lab)).toHaveText('Do it');
  }
}

/** The figures in a row of the results table, as text. */
async function figures(lab: LabPage, row: string | RegExp): Promise<string[]> {
  return pane(lab)
    .getByRole('row')
    .filter({ has: lab.page.getByRole('rowheader', { name: row, exact: true }) })
    .first()
    .getByRole('cell')
    .allInnerTexts();
}

const number = (text: string | undefined): number => Number((text ?? '').replace(/[^0-9.]/g, '') || Number.NaN);

test('exchange, entirely by keyboard: holes with separate calls, none in one commit, and the commands appear in the monitor', async ({
  lab,
  page,
}) => {
  test.setTimeout(120_000);
  await lab.open();
  await expect(pane(lab)).toBeHidden();
  await page.getByRole('button', { name: 'Guides', exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('F6');
  await pane(lab)
    .getByRole('button', { name: /^Exchange two regions/ })
    .focus();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/#guide=exchange$/);
  await doIt(lab).focus();
  // The focus moves from one step to the next by itself.
  await toTheEnd(lab, async (button) => {
    await expect(button).toBeFocused();
    await page.keyboard.press('Enter');
  });
  const [legacy, atomic] = await figures(lab, 'Holes the guest saw');
  expect(number(legacy)).toBeGreaterThan(0);
  expect(atomic).toBe('0');
  expect(await figures(lab, 'Swaps')).toEqual(['6', '2']);
  expect(await lab.monitorText()).toContain('(lab) changeset_commit');
  await lab.consoleShows(/changed\s+0x1111111111111111 -> 0x2222222222222222/);
  expect(lab.errors).toEqual([]);
});

test('exchange by hand, at the monitor and in the console: the guide follows', async ({ lab }) => {
  test.setTimeout(120_000);
  await open(lab, 'exchange');
  for (const n of [1, 2]) {
    await lab.typeMonitor(`object_add memory-backend-ram,id=mem${n},size=64M`);
    await lab.typeMonitor(`device_add pc-dimm,id=dimm${n},memdev=mem${n}`);
  }
  await isDone(lab, 'Plug two DIMMs');
  const [first, second] = [await lab.slot('dimm1'), await lab.slot('dimm2')];
  await lab.typeConsole('watch 0x6000000\r');
  await expect(pane(lab)).toContainText('The guest watches 0x6000000, not one of the two DIMMs.');
  await lab.typeConsole('q');
  await lab.consoleEndsWith(/lab> $/);
  await lab.typeConsole(`watch 0x${second.gpa.toString(16)}\r`);
  await isDone(lab, 'Let the guest read one of them');
  await lab.typeMonitor('changeset_begin');
  await lab.typeMonitor(`memslot_move ${first.id} 0x${second.gpa.toString(16)}`);
  await expect(pane(lab)).toContainText('A change set is open with 1 entry');
  await lab.typeMonitor(`memslot_move ${second.id} 0x${first.gpa.toString(16)}`);
  await lab.typeMonitor('changeset_commit');
  await isDone(lab, 'Stage both moves, commit once');
  await expect(doIt(lab)).toHaveAttribute('aria-label', /KVM’s users/);
  expect(await figures(lab, 'Holes the guest saw')).toEqual(['–', '0']);

  // Undo reverts both the machine and the figure.
  const before = await lab.slots();
  await pane(lab).getByRole('button', { name: 'Undo: Stage both moves, commit once' }).click();
  await expect.poll(() => figures(lab, 'Holes the guest saw')).toEqual(['–', '–']);
  expect(await lab.slots()).not.toEqual(before);
  expect((await lab.slot('dimm1')).gpa).toBe(first.gpa);
});

test('move: a hole between two calls, none within one; start over takes everything back', async ({ lab }) => {
  test.setTimeout(120_000);
  await open(lab, 'move');
  const asBooted = await lab.slots();
  expect(await toTheEnd(lab)).toHaveLength(4);
  const [two, one] = await figures(lab, 'Holes the guest saw');
  expect(number(two)).toBeGreaterThan(0);
  expect(one).toBe('0');
  expect(await figures(lab, 'Swaps')).toEqual(['3', '2']);
  await pane(lab).getByRole('button', { name: 'Start over' }).click();
  await expect.poll(() => lab.slots(), { timeout: 30_000 }).toEqual(asBooted);
  await expect(doIt(lab)).toHaveAttribute('aria-label', 'Do it: Plug a DIMM');
  await lab.consoleEndsWith(/lab> $/);
});

test('swaps: INVALID and retries between the swaps, no hole; start over keeps what was there before', async ({ lab }) => {
  test.setTimeout(120_000);
  await open(lab, 'swaps');
  await lab.monitor('object_add memory-backend-ram,id=mine,size=64M');
  await lab.monitor('device_add pc-dimm,id=own,memdev=mine');
  await expect(pane(lab)).toContainText('1 of 2 is plugged.');
  const asFound = await lab.slots();
  for (const title of ['Plug two DIMMs', 'Let the guest read one of them', 'Stage an exchange', 'Validate, prepare, swap 1']) {
    await doIt(lab).click();
    await isDone(lab, title);
  }
  expect((await figures(lab, 'Swap 1'))[0]).toBe('2 slots INVALID');
  await toTheEnd(lab);
  expect(number((await figures(lab, 'Swap 2'))[0])).toBeGreaterThan(0);
  expect(await figures(lab, 'Whole commit')).toEqual(['0 holes', '2 swaps']);
  await pane(lab).getByRole('button', { name: 'Start over' }).click();
  await expect.poll(() => lab.slots(), { timeout: 30_000 }).toEqual(asFound);
  await expect(pane(lab)).toContainText('1 of 2 is plugged.');
});

test('flags: one swap, ten, one; and microseconds of this browser', async ({ lab }) => {
  test.setTimeout(120_000);
  await open(lab, 'flags');
  expect(await toTheEnd(lab)).toHaveLength(5);
  expect(await figures(lab, 'Swaps')).toEqual(['1', '10', '1']);
  for (const time of await figures(lab, 'All ten take')) expect(number(time)).toBeGreaterThan(0);
  expect((await lab.slots()).filter((slot) => slot.size === 65536)).toHaveLength(100);
});

test('index: three sizes in each of the three, next to the published figures', async ({ lab }) => {
  test.setTimeout(180_000);
  await open(lab, 'index');
  expect(await toTheEnd(lab)).toHaveLength(3);
  const bytes = await pane(lab).getByRole('row').filter({ hasText: 'Bytes a slot' }).allInnerTexts();
  expect(bytes).toHaveLength(3);
  await expect(pane(lab)).toContainText('Another machine, another language');
});

test('zap: zapping one slot costs a guest that does not use it nothing, zapping all costs it its translations', async ({ lab }) => {
  test.setTimeout(120_000);
  await open(lab, 'zap');
  const asBooted = await lab.slots();
  await lab.monitor('memslot_zap all');
  expect(await toTheEnd(lab)).toHaveLength(5);
  const [slot, all] = (await figures(lab, 'TLB misses a commit')).map(number);
  expect(all).toBeGreaterThanOrEqual(2048);
  expect(slot).toBeLessThan(all! / 4);
  const [, dropped] = (await figures(lab, 'Translations dropped a commit')).map(number);
  expect(dropped).toBeGreaterThan(1000);
  // The machine's zap mode from before the guide is restored.
  await pane(lab).getByRole('button', { name: 'Start over' }).click();
  await expect.poll(() => lab.slots(), { timeout: 30_000 }).toEqual(asBooted);
  await expect.poll(() => lab.monitor('memslot_zap')).toMatch(/all/);
});

test('compiled: a commit drops no compiled code, and windows only where everything is zapped', async ({ lab }) => {
  test.setTimeout(120_000);
  await open(lab, 'compiled');
  expect(await toTheEnd(lab)).toHaveLength(6);
  expect((await figures(lab, 'Compiled regions dropped a commit')).map(number)).toEqual([0, 0, 0]);
  const [, slot, all] = (await figures(lab, 'Windows dropped a commit')).map(number);
  expect(slot).toBe(0);
  expect(all).toBeGreaterThanOrEqual(1);
  await pane(lab).getByRole('button', { name: 'Undo: The same, zap everything' }).click();
  await expect.poll(() => lab.monitor('memslot_zap')).toMatch(/slot/);
});

test('a guide keeps its place when it is closed, gives way to the inspector, and its link opens it again', async ({ lab, page }) => {
  await open(lab, 'exchange');
  await doIt(lab).click();
  await isDone(lab, 'Plug two DIMMs');
  await pane(lab).getByRole('button', { name: 'Close the guide' }).click();
  await expect(pane(lab)).toBeHidden();
  await expect(page).not.toHaveURL(/guide/);
  await page.getByRole('button', { name: 'Guides', exact: true }).click();
  await expect(pane(lab).getByRole('heading', { name: 'Exchange two regions' })).toBeVisible();
  await expect(pane(lab)).toContainText('step 2 of 4');

  await page.getByRole('application', { name: 'Map of guest-physical memory' }).focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('region', { name: 'Inspector' })).toBeVisible();
  await expect(pane(lab)).toBeHidden();

  await page.getByRole('button', { name: 'Guides', exact: true }).click();
  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  await expect(pane(lab)).toContainText('step 1 of 4');
  await page.goto('./#guide=nonsense');
  await expect(pane(lab).getByRole('heading', { name: 'Guides' })).toBeVisible();
});

test('the guide names an obstacle and offers a button that removes it', async ({ lab, page }) => {
  await open(lab, 'move');
  await page.getByRole('button', { name: 'Stop' }).click();
  await expect(pane(lab)).toContainText('The guest is stopped.');
  await pane(lab).getByRole('button', { name: 'Run' }).click();
  await expect(doIt(lab)).toBeVisible();
  await lab.monitor('changeset_begin');
  await expect(pane(lab)).toContainText('A change set is open with 0 entries');
  await pane(lab).getByRole('button', { name: 'Abort it' }).click();
  await expect(doIt(lab)).toBeVisible();

  await page.getByRole('button', { name: /choose another guest/ }).click();
  await page.getByLabel('-m', { exact: true }).fill('64M');
  await page.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(pane(lab)).toContainText('too few DIMM slots');
  await pane(lab).getByRole('button', { name: 'Start memlab anew' }).click();
  await expect(doIt(lab)).toBeVisible({ timeout: 30_000 });
});

test('a guide finds a half-done move and offers to undo it', async ({ lab }) => {
  await open(lab, 'move');
  await doIt(lab).click();
  await isDone(lab, 'Plug a DIMM');
  const { id, gpa } = await lab.slot('dimm1');
  await lab.monitor(`memslot_del ${id}`);
  await expect(pane(lab)).toContainText('Nothing maps the DIMM now: the guest is in the hole.');
  await doIt(lab).click();
  await expect.poll(async () => (await lab.slot('dimm1')).gpa).toBe(gpa);
});

test('figures survive a reload, marked as measured earlier, until Start over', async ({ lab, page }) => {
  test.setTimeout(120_000);
  await open(lab, 'move');
  const earlier = pane(lab).getByRole('region', { name: 'Measured earlier' });
  await toTheEnd(lab);
  await expect(earlier).toHaveCount(0);
  const [two] = await figures(lab, 'Holes the guest saw');
  expect(number(two)).toBeGreaterThan(0);

  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  await expect(earlier).toContainText(/Measured earlier: .*\d{4}.*, by this build of the page, on an earlier machine\./);
  await expect(earlier.getByRole('row', { name: 'Holes the guest saw' }).getByRole('cell')).toHaveText([two!, '0']);
  // This machine has measured nothing yet: its own figures are unknown, and its steps are open.
  expect(await figures(lab, 'Holes the guest saw')).toEqual(['–', '–']);
  await expect(doIt(lab)).toHaveAttribute('aria-label', 'Do it: Plug a DIMM');
  await pane(lab).getByRole('button', { name: 'All guides' }).click();
  await expect(pane(lab).getByRole('button', { name: /^Move in two calls or in one measured earlier/ })).toBeVisible();
  await pane(lab)
    .getByRole('button', { name: /^Move in two calls/ })
    .click();

  await toTheEnd(lab);
  await expect(earlier).toHaveCount(0);
  await pane(lab).getByRole('button', { name: 'Start over' }).click();
  await expect(doIt(lab)).toBeVisible();
  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  await expect(doIt(lab)).toBeVisible();
  await expect(earlier).toHaveCount(0);
  expect(lab.errors).toEqual([]);
});
