/** The index inspector: a lookup typed and followed, structures that grow with a hotplug, figures measured on request, a stepped commit, and many slots. */
import { expect, type LabPage, plugTwoDimms, test } from './page';

const panel = (lab: LabPage) => lab.page.getByRole('tabpanel', { name: 'Index' });
const drawing = (lab: LabPage, name: string) => panel(lab).getByRole('img', { name });

async function openIndex(lab: LabPage): Promise<void> {
  await lab.page.getByRole('tab', { name: 'Index' }).click();
  await expect(drawing(lab, 'B-tree, active set')).toBeVisible();
}

test('a typed address is found in all three indexes, and its path is drawn', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  await openIndex(lab);
  const { id, gpa } = await lab.slot('dimm1');
  const field = page.getByLabel('Look up');
  await field.fill(`0x${(gpa + 0x402000).toString(16)}`);
  await expect(panel(lab).getByText(`→ slot ${id}`)).toBeVisible();
  await expect(panel(lab).getByText(`gfn 0x${((gpa + 0x402000) / 4096).toString(16)}`)).toBeVisible();
  for (const set of ['active', 'inactive'])
    for (const kind of ['Array', 'Red-black tree', 'B-tree'])
      await expect(drawing(lab, `${kind}, ${set} set`)).toHaveAccessibleName(new RegExp(`The lookup visits .* ends at ${id}\\.$`));
  const visited = drawing(lab, 'Red-black tree, active set').locator('.visited');
  expect(await drawing(lab, 'Red-black tree, active set').locator('line.way').count()).toBe((await visited.count()) - 1);
  await expect(drawing(lab, 'Red-black tree, active set').locator('.taken text')).toHaveText(String(id));

  // The table's counts match the drawings, and the monitor reports the same.
  const row = panel(lab).getByRole('row', { name: /^Red-black tree/ });
  await expect(row.getByRole('cell').first()).toHaveText(String(await visited.count()));
  const printed = await lab.monitor(`info index ${gpa + 0x402000}`);
  const [, count, , bytes, lines] = /^rbtree .* B?(\d+) +(\d+) +(\d+) +(\d+)$/m.exec(printed) ?? [];
  expect(count, printed).toBeDefined();
  await expect(row.getByRole('cell').nth(1)).toHaveText(String(bytes));
  await expect(row.getByRole('cell').nth(2)).toHaveText(String(lines));

  await field.fill('0x1040200z');
  await expect(page.getByText('Not an address: “0x1040200z”. Use 0x…, 64M or 4G.')).toBeVisible();
  await field.fill('3G');
  await expect(panel(lab).getByText('→ no slot')).toBeVisible();
  expect(lab.errors).toEqual([]);
});

test('without a typed address it follows the selected slot; a hotplug and an undo change the structures', async ({ lab, page }) => {
  await lab.open();
  await openIndex(lab);
  const slots = async () => (await lab.slots()).map((slot) => slot.id);
  const before = await slots();
  await expect(drawing(lab, 'Array, active set')).toHaveAccessibleName(new RegExp(`slots ${before.join(', ')}\\.`));
  await expect(panel(lab).getByText('in use', { exact: true })).toBeVisible();

  await page.getByRole('application', { name: 'Map of guest-physical memory' }).focus();
  await page.keyboard.press('End');
  await expect(panel(lab).getByText(`→ slot ${before.at(-1)}`)).toBeVisible();

  await plugTwoDimms(lab);
  const after = await slots();
  expect(after.length).toBe(before.length + 2);
  for (const set of ['active', 'inactive'])
    await expect(drawing(lab, `Array, ${set} set`)).toHaveAccessibleName(new RegExp(`slots ${after.join(', ')}\\.`));
  await expect(drawing(lab, 'Red-black tree, active set').locator('.ring')).toHaveCount(after.length);
  await expect(drawing(lab, 'B-tree, active set').locator('.cell')).toHaveCount(after.length);
  await lab.monitor('memslot_flags 3 -l');
  await lab.monitor('undo');
  await expect(drawing(lab, 'Array, active set')).toHaveAccessibleName(new RegExp(`slots ${after.join(', ')}\\.`));
});

test('lookup and update are measured on request, while the guest keeps running', async ({ lab, page }) => {
  await lab.open();
  await openIndex(lab);
  const row = (name: string) => panel(lab).getByRole('row', { name: new RegExp(`^${name}`) });
  await expect(row('B-tree').getByRole('cell').nth(3)).toHaveText('–');
  await expect(panel(lab).getByText('Lookup and update are not measured yet.')).toBeVisible();
  await panel(lab).getByRole('button', { name: 'Measure' }).click();
  await lab.shell('help');
  await expect(panel(lab).getByText(/^Measured here with \d+ slots/)).toBeVisible();
  for (const name of ['Array', 'Red-black tree', 'B-tree']) {
    await expect(row(name).getByRole('cell').nth(3)).toHaveText(/^\d+(\.\d)? ns$/);
    await expect(row(name).getByRole('cell').nth(4)).toHaveText(/^\d+(\.\d)? µs$/);
  }
  await lab.monitor('memslot_add 40 4G 2M');
  await expect(panel(lab).getByRole('button', { name: 'Measure with 6' })).toBeVisible();
  await page.getByRole('tab', { name: 'CPU' }).click();
});

test('between its swaps a commit shows INVALID slots in the active set and the final set being built', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  const [first, second] = [await lab.slot('dimm1'), await lab.slot('dimm2')];
  const hex = (value: number) => `0x${value.toString(16)}`;
  for (const line of ['changeset_begin', `memslot_move ${first.id} ${hex(second.gpa)}`, `memslot_move ${second.id} ${hex(first.gpa)}`])
    expect(await lab.monitor(line)).toBe('');
  await openIndex(lab);
  await panel(lab).getByLabel('Look up').fill(hex(first.gpa));
  const array = (set: string) => drawing(lab, `Array, ${set} set`);
  const before = (await lab.slots()).map((slot) => slot.id);
  const names = (ids: readonly number[], mark = '', marked: readonly number[] = []) =>
    new RegExp(`slots ${ids.map((id) => (marked.includes(id) ? `${id}${mark}` : id)).join(', ')}\\.`);
  const moved = [first.id, second.id];
  const final = before.map((id) => (id === first.id ? second.id : id === second.id ? first.id : id));
  const commit = page.getByRole('region', { name: 'Change set and snapshots' }).getByRole('button', { name: /^(Commit|Next step)/ });
  await commit.focus();
  const phase = page.getByRole('list', { name: 'Phases of the commit' }).locator('[aria-current="step"]');
  const stepTo = async (next: string) => {
    await page.keyboard.press('.');
    await expect(phase).toContainText(next);
  };

  for (const next of ['Prepare', 'Swap 1', 'Zap']) await stepTo(next);
  await expect(panel(lab).getByText('as before the commit')).toBeVisible();
  await expect(array('active')).toHaveAccessibleName(names(before, ' INVALID', moved));
  await expect(array('inactive')).toHaveAccessibleName(names(before, ' differs', moved));
  await expect(panel(lab).getByText(`→ slot ${first.id}, INVALID`)).toBeVisible();

  await stepTo('Swap 2');
  await expect(panel(lab).getByText(/^building gen \d+$/)).toBeVisible();
  await expect(array('active')).toHaveAccessibleName(names(before, ' INVALID', moved));
  await expect(array('inactive')).toHaveAccessibleName(names(final, ' differs', moved));
  for (const kind of ['Array', 'Red-black tree', 'B-tree']) {
    await expect(drawing(lab, `${kind}, active set`).locator('.invalid')).toHaveCount(2);
    await expect(drawing(lab, `${kind}, inactive set`).locator('.built')).toHaveCount(2);
  }

  await stepTo('Hooks');
  await expect(panel(lab).getByText('old set, until Free')).toBeVisible();
  await expect(panel(lab).getByText(`→ slot ${second.id}`, { exact: true })).toBeVisible();
  await stepTo('Free');
  await page.keyboard.press('.');
  await expect(panel(lab).getByText('same slots')).toBeVisible();
  for (const set of ['active', 'inactive']) await expect(array(set)).toHaveAccessibleName(names(final));
});

test('more than a hundred slots: the neighbourhood of the lookup is drawn, the rest is counted', async ({ lab, page }) => {
  await lab.open();
  await page.evaluate(async () => {
    for (let i = 0; i < 150; i++) await window.lab.monitor(`memslot_add ${100 + i} ${4 * 2 ** 30 + i * 0x4000} 8K`);
  });
  await openIndex(lab);
  await page.getByLabel('Look up').fill(`0x${(4 * 2 ** 30 + 75 * 0x4000).toString(16)}`);
  await expect(panel(lab).getByText('→ slot 175')).toBeVisible();
  await expect(
    panel(lab)
      .getByText(/^\d+ slots not drawn/)
      .first(),
  ).toBeVisible();
  expect(await panel(lab).locator('svg rect').count()).toBeLessThan(200);
  await expect(drawing(lab, 'B-tree, active set').locator('.taken text').last()).toHaveText('175');
  // A drawing wider than the pane scrolls by keyboard, and the lookup's end is in view.
  await page.setViewportSize({ width: 1280, height: 720 });
  await page.getByLabel('Look up').fill(`0x${(4 * 2 ** 30 + 149 * 0x4000).toString(16)}`);
  const tree = panel(lab).getByRole('region', { name: 'Red-black tree, active set, scrolls' });
  const focused = () => tree.evaluate((element) => element === document.activeElement);
  for (let stops = 0; stops < 10 && !(await focused()); stops++) await page.keyboard.press('Tab');
  await expect(tree).toBeFocused();
  await expect(tree.locator('.taken').last()).toBeInViewport();
});
