/** Keyboard and screen reader: what the live regions announce, where the focus goes, and that the keys of the status bar work everywhere. */
import { violations } from './axe';
import { expect, type LabPage, plugTwoDimms, test } from './page';

const map = (lab: LabPage) => lab.page.getByRole('application', { name: 'Map of guest-physical memory' });
const changes = (lab: LabPage) => lab.page.getByRole('region', { name: 'Change set and snapshots' });

/** Collects each text that enters a live region from now on, as a screen reader would read it. */
async function listen(lab: LabPage): Promise<() => Promise<string[]>> {
  await lab.page.evaluate(() => {
    const heard: string[] = [];
    const live = '[aria-live="polite"], [role="status"]:not([aria-live="off"]), [role="alert"]';
    new MutationObserver((changes) => {
      const regions = new Set(changes.map(({ target }) => (target instanceof Element ? target : target.parentElement)?.closest(live)));
      for (const region of regions) {
        const text = (region as HTMLElement | null | undefined)?.innerText.replace(/\s+/g, ' ').trim();
        if (text) heard.push(text);
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
    Object.assign(window, { heard });
  });
  return () => lab.page.evaluate(() => (window as unknown as { heard: string[] }).heard.splice(0));
}

const focusedIn = (lab: LabPage): Promise<string> =>
  lab.page.evaluate(() => {
    const active = document.activeElement;
    if (!active || active === document.body) return 'nowhere';
    return active.getAttribute('aria-label') ?? active.closest('[data-pane]')?.getAttribute('aria-label') ?? active.tagName;
  });

test('a screen reader announces slots, moves, refusals and commits, and the focus is never lost', async ({ lab, page }) => {
  test.setTimeout(120_000);
  await lab.open();
  await plugTwoDimms(lab);
  const [first, second] = [await lab.slot('dimm1'), await lab.slot('dimm2')];
  const heard = await listen(lab);
  const says = (pattern: RegExp): Promise<void> =>
    expect.poll(async () => (await heard()).join('\n'), { message: String(pattern) }).toMatch(pattern);

  // Arrow keys without focus reach the map, and each slot is announced.
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await page.keyboard.press('ArrowRight');
  await expect(map(lab)).toBeFocused();
  await says(/Slot 0 ram\.low, 640 KiB at 0x0, RAM/);
  await page.keyboard.press('End');
  await says(new RegExp(`Slot ${second.id} dimm2.*, 64 MiB at 0x18000000, DIMM`));
  await page.keyboard.press('ArrowLeft');
  await says(new RegExp(`Slot ${first.id} dimm1`));

  // A move announces its keys once, each position with the slots it would hit, and the reason of a refusal.
  await page.keyboard.press('m');
  await says(/Moving slot \d+\. Arrows: 2 MiB/);
  await heard();
  for (let step = 0; step < 3; step++) await page.keyboard.press('ArrowRight');
  await expect.poll(heard).toContainEqual(expect.stringMatching(/^Move \d+ to 0x10600000: fits/));
  for (let step = 0; step < 2; step++) await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('ArrowRight');
  const words = await heard();
  expect(words.join('\n')).toMatch(/overlaps/);
  expect(await violations(lab), 'a move that does not fit, announced').toEqual([]);
  // Something else is announced in between: the keys are not announced again.
  await lab.monitor('memslot_flags 0 -l');
  await says(/Now at gen \d+: /);
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowRight');
  words.push(...(await heard()));
  expect(words.join('\n')).not.toMatch(/2 MiB.*4 KiB|Esc/);
  await page.keyboard.press('Enter');
  await says(new RegExp(`Refused: move ${first.id}.*EEXIST`));
  expect(await violations(lab), 'a refusal, said').toEqual([]);
  expect(await focusedIn(lab)).toBe('Map of guest-physical memory');

  // Dropping an entry moves the focus to the next one, or to the map if there is none.
  await lab.monitor(`memslot_flags ${second.id} -l`);
  await changes(lab).getByRole('button', { name: 'Drop entry 1' }).focus();
  await page.keyboard.press('Enter');
  await expect(changes(lab).getByRole('listitem')).toHaveCount(1);
  await expect(changes(lab).locator('li:focus-within')).toHaveCount(1);
  await says(/Staged: flags/);

  // Ctrl Enter commits from the inspector; its end is announced, and the focus survives what disappears.
  await page.getByRole('tab', { name: 'Index' }).focus();
  await page.keyboard.press('Control+Enter');
  await says(/Committed, gen \d+\. 1 swap, 0 holes/);
  expect(await violations(lab), 'the end of a commit, announced').toEqual([]);
  expect(await focusedIn(lab)).not.toBe('nowhere');
  await page.getByRole('button', { name: 'Undo' }).first().focus();
  await page.keyboard.press('Control+z');
  await says(/Undone: now/);
  expect(await focusedIn(lab)).not.toBe('nowhere');
  await page.getByRole('tab', { name: 'Index' }).focus();
  await page.keyboard.press('Escape');
  await expect(map(lab)).toBeFocused();

  // A commit made in the monitor is announced as well.
  await heard();
  await lab.monitor(`memslot_flags ${second.id} -l`);
  await says(/Now at gen \d+: /);

  // A button that disappears with its form.
  await map(lab).focus();
  await page.keyboard.press('Delete');
  await expect(changes(lab).getByText('delete', { exact: true })).toBeVisible();
  await changes(lab).getByRole('button', { name: 'Abort' }).focus();
  await page.keyboard.press('Enter');
  await expect(changes(lab).getByText('Nothing staged')).toBeVisible();
  await expect.poll(() => focusedIn(lab)).toBe('Map of guest-physical memory');

  // The same words twice are two announcements: an entry that is staged again, a message that comes again.
  await heard();
  await page.keyboard.press('Delete');
  await says(/Staged: delete/);
  await changes(lab).getByRole('button', { name: 'Abort' }).press('Enter');
  await says(/1 entry dropped/);
  await map(lab).focus();
  await page.keyboard.press('Delete');
  await says(/Staged: delete/);
  await lab.monitor('changeset_abort');
  for (let twice = 0; twice < 2; twice++) {
    await changes(lab).getByRole('button', { name: 'Commit' }).press('Enter');
    await says(/Nothing is staged/);
  }
});
