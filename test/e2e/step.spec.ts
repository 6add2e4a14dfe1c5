/** A commit watched phase by phase: two DIMMs change places while the guest keeps reading one of them. */
import type { Locator } from '@playwright/test';
import { expect, type LabPage, plugTwoDimms, type Slot, test } from './page';

const hex = (value: number): string => `0x${value.toString(16)}`;

interface Story {
  first: Slot;
  second: Slot;
  changeSet: Locator;
  phases: Locator;
}

/** Gives both DIMMs a distinct word, starts `watch` on the first, and stages their exchange. */
async function stageExchange(lab: LabPage): Promise<Story> {
  await lab.open();
  await plugTwoDimms(lab);
  const [first, second] = [await lab.slot('dimm1'), await lab.slot('dimm2')];
  await lab.shell(`poke ${hex(first.gpa)} 0x1111`);
  await lab.shell(`poke ${hex(second.gpa)} 0x2222`);
  await lab.typeConsole(`watch ${hex(first.gpa)}\r`);
  await lab.consoleShows(/any key ends/);
  for (const line of ['changeset_begin', `memslot_move ${first.id} ${hex(second.gpa)}`, `memslot_move ${second.id} ${hex(first.gpa)}`])
    expect(await lab.monitor(line)).toBe('');
  const changeSet = lab.page.getByRole('region', { name: 'Change set and snapshots' });
  await expect(changeSet.getByText('2 of 2 fit, 2 swaps, 32,768 pages to zap')).toBeVisible();
  return { first, second, changeSet, phases: lab.page.getByRole('list', { name: 'Phases of the commit' }) };
}

const next = ({ phases }: Story, name: string) => expect(phases.locator('[aria-current="step"]')).toContainText(name);

test('by keys: each phase, INVALID between the swaps, retries and no hole, and undone', async ({ lab, page }) => {
  test.setTimeout(120_000);
  const story = await stageExchange(lab);
  const { first, second, changeSet } = story;
  const before = await lab.slots();
  const pill = page.getByRole('banner').getByRole('status');
  await expect(pill).toHaveText(/Running/);

  await changeSet.getByRole('button', { name: /^Commit/ }).focus();
  await page.keyboard.press('.');
  await next(story, 'Prepare');
  await expect(pill).toHaveText(/Committing/);
  await expect(changeSet.getByRole('button', { name: /^Next step/ })).toBeFocused();
  await page.keyboard.press('.');
  await next(story, 'Swap 1');
  await expect(page.getByText('Before swap 1 of 2')).toBeVisible();
  await page.keyboard.press('.');
  await next(story, 'Zap 32,768 pages');
  await expect(changeSet.getByRole('img', { name: 'INVALID' })).toHaveCount(2);
  await expect(changeSet.getByRole('button', { name: 'Abort' })).toBeDisabled();
  await page.keyboard.press('.');
  await next(story, 'Swap 2');
  await expect(page.getByRole('contentinfo')).toContainText(
    new RegExp(`Between swap 1 and swap 2 slots ${first.id} and ${second.id} INVALID, the vCPU retries`),
  );
  await expect(page.getByRole('region', { name: 'History' })).toContainText('swap 1 of 2');
  await expect(story.phases.getByRole('listitem').filter({ hasText: 'Zap' })).toContainText(/done/);

  // The table agrees: the guest waits at the first DIMM and nowhere else.
  await page.getByRole('button', { name: 'Table' }).click();
  const rowOf = (slot: Slot) => page.getByRole('row', { name: new RegExp(`^${slot.id} dimm`) });
  await expect(rowOf(first)).toContainText(/INVALID, [1-9]\d* retr/);
  await expect(rowOf(second)).toContainText('INVALID, 0 retries');
  await page.getByRole('button', { name: 'Map', exact: true }).click();
  expect(await lab.slots()).toEqual(before);

  // No other change is accepted in between.
  expect(await lab.monitor('undo')).toMatch(/^Error: a commit is between its phases/);
  expect(await lab.monitor('savevm now')).toMatch(/^Error: a commit is between its phases/);

  await changeSet.getByRole('button', { name: 'Run to end' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByText(/Committed, gen \d+\. 2 swaps, [\d,]+ retr(y|ies), 0 holes\./)).toBeVisible();
  await expect(page.getByRole('application', { name: 'Map of guest-physical memory' })).toBeFocused();
  await lab.consoleShows(/changed\s+0x0000000000001111 -> 0x0000000000002222/);
  await lab.typeConsole('q');
  await lab.consoleShows(/reads, 1 change, 0 holes/);
  expect((await lab.slot('dimm1')).gpa).toBe(second.gpa);
  await expect(page.getByRole('region', { name: 'History' }).locator('[aria-current="true"]')).toContainText(/retr(y|ies)/);

  await page.getByRole('application', { name: 'Map of guest-physical memory' }).focus();
  await page.keyboard.press('Control+z');
  await expect.poll(() => lab.slots()).toEqual(before);
  expect(lab.errors).toEqual([]);
});

test('by pointer: cancelled before swap 1, the zap mode selected, then run to its end', async ({ lab, page }) => {
  test.setTimeout(120_000);
  const story = await stageExchange(lab);
  const { changeSet, phases, second } = story;
  const before = await lab.slots();
  await changeSet.getByRole('button', { name: 'Step' }).click();
  await next(story, 'Prepare');
  await changeSet.getByRole('button', { name: /^Next step/ }).click();
  await next(story, 'Swap 1');
  await expect(changeSet.getByRole('combobox', { name: 'Zap' })).toBeDisabled();
  await changeSet.getByRole('button', { name: 'Abort' }).click();
  await expect(page.getByText('Aborted before swap 1. The entries are still staged.')).toBeVisible();
  await expect(phases).toHaveCount(0);
  await expect(changeSet.getByText('2 of 2 fit')).toBeVisible();
  expect(await lab.slots()).toEqual(before);

  await changeSet.getByRole('combobox', { name: 'Zap' }).selectOption('all');
  await expect(changeSet.getByText('every translation to zap')).toBeVisible();
  expect(await lab.monitor('memslot_zap')).toBe('all\n');
  await changeSet.getByRole('button', { name: 'Step' }).click();
  for (const phase of ['Prepare', 'Swap 1', 'Zap every translation', 'Swap 2', 'Hooks', 'Free']) {
    await next(story, phase);
    await changeSet.getByRole('button', { name: /^Next step/ }).click();
  }
  await expect(phases).toHaveCount(0);
  expect((await lab.slot('dimm1')).gpa).toBe(second.gpa);
  await lab.typeConsole('q');
  await lab.consoleShows(/reads, 1 change, 0 holes/);
  expect(lab.errors).toEqual([]);
});

test('the history by keys: a diff of any two, and one commit to any of them and back', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  const { id } = await lab.slot('dimm2');
  expect(await lab.monitor(`memslot_flags ${id} -l`)).toBe('');
  expect(await lab.monitor(`memslot_flags ${id} -r`)).toBe('');
  const after = await lab.slots();
  const history = page.getByRole('region', { name: 'History' });
  const commits = history.getByRole('list', { name: 'Commits, oldest first' }).getByRole('button');
  await expect(commits).toHaveCount(5);
  await expect(commits.nth(1)).toContainText('+ dimm1');
  await expect(commits.nth(1)).toContainText(/µs|ms/);

  await commits.nth(1).focus();
  await page.keyboard.press(' ');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Shift+ ');
  await expect(history.getByText(/^Diff, gen \d+ → \d+$/)).toBeVisible();
  await expect(history.getByRole('list', { name: 'Differences' }).getByRole('listitem')).toHaveText([/^\+ \d+ dimm2, 64 MiB at/]);
  await commits.nth(4).click({ modifiers: ['Shift'] });
  await expect(history.locator('.tag')).toHaveText(['A', 'B']);

  const generation = await page.evaluate(async () => ((await window.lab.layout()) as { generation: number }).generation);
  await commits.nth(1).focus();
  await page.keyboard.press('Enter');
  await expect.poll(async () => (await lab.slots()).filter((slot) => slot.name.startsWith('dimm')).length).toBe(1);
  const there = await page.evaluate(async () => ((await window.lab.layout()) as { generation: number }).generation);
  expect(there - generation).toBe(4);
  await page.getByRole('status').filter({ hasText: 'Now as at gen' }).getByRole('button', { name: 'Back' }).click();
  await expect.poll(() => lab.slots()).toEqual(after);
  expect(lab.errors).toEqual([]);
});
