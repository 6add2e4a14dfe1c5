/** What cannot be done now is greyed with its reason: in the tooltip, read out, and said to whoever presses it. */
import { expect, type LabPage, plugTwoDimms, test } from './page';

/** Controls on screen that are off without a reason, or out of the keyboard's reach. A field's reason may stand beside it. */
const unexplained = (lab: LabPage): Promise<string[]> =>
  lab.page.evaluate(() =>
    [...document.querySelectorAll<HTMLButtonElement>('button, a.btn, select, input, [role="menuitem"]')].flatMap((control) => {
      const off = control.disabled || control.getAttribute('aria-disabled') === 'true';
      if (!off || !control.checkVisibility()) return [];
      const said = document.getElementById(control.getAttribute('aria-describedby') ?? '')?.textContent || control.title;
      if (said && !control.disabled) return [];
      return [`${control.getAttribute('aria-label') ?? control.textContent?.trim()}: ${control.disabled ? 'disabled' : 'no reason'}`];
    }),
  );

test('every greyed control says why, to the pointer, the keyboard and a screen reader', async ({ lab, page }) => {
  await lab.open();
  const history = page.getByRole('region', { name: 'History' });
  const undo = history.getByRole('button', { name: 'Undo' });
  await expect(undo).toBeDisabled();
  await expect(undo).toHaveAttribute('title', 'Nothing to undo');
  await expect(undo).toHaveAccessibleDescription('Nothing to undo');
  await undo.focus();
  await expect(undo).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('status').filter({ hasText: 'Nothing to undo.' })).toBeVisible();

  const inspector = page.getByRole('region', { name: 'Inspector' });
  const everyTab = async (state: string): Promise<void> => {
    for (const name of ['DIMMs', 'Index', 'Page walk', 'Live', 'CPU', 'Breakpoints', 'Trace']) {
      await inspector.getByRole('tab', { name, exact: true }).click();
      await expect(page.getByRole('tabpanel', { name })).toBeVisible();
      expect(await unexplained(lab), `${state}, ${name}`).toEqual([]);
    }
  };
  await everyTab('as booted');
  await page.getByRole('banner').getByRole('button', { name: 'Step' }).press('Enter');
  await expect(page.getByRole('status').filter({ hasText: 'The guest runs: stop it first.' })).toBeVisible();

  await plugTwoDimms(lab);
  const { id } = await lab.slot('dimm1');
  await expect(undo).toHaveAttribute('title', 'Undo (Ctrl Z)');
  // A commit between its phases: it cannot be given up any more, and zaps as it began.
  for (const line of ['changeset_begin', `memslot_move ${id} 0x100000000`, 'changeset_commit -s']) await lab.monitor(line);
  for (let n = 0; n < 4; n++) await lab.monitor('changeset_step');
  await expect(page.getByRole('button', { name: 'Abort' })).toHaveAccessibleDescription(/Only possible before swap 1/);
  await page.getByLabel('Zap').focus();
  await page.keyboard.press('ArrowDown');
  await expect(page.getByLabel('Zap')).toHaveValue('slot');
  expect(await unexplained(lab), 'between the swaps').toEqual([]);
  await lab.monitor('changeset_step -a');

  // What has moved to other host memory since has no way back.
  await lab.monitor(`memslot_rehost ${id}`);
  await lab.monitor('stop');
  await everyTab('stopped');
  await page.getByRole('application', { name: 'Map of guest-physical memory' }).focus();
  await page.keyboard.press('Home');
  await inspector.getByRole('tab', { name: /^Slot/ }).click();
  await expect(inspector.getByRole('button', { name: 'Delete' })).toBeVisible();
  expect(await unexplained(lab), 'a slot selected').toEqual([]);
  await lab.monitor('quit');
  await expect(page.getByText('The guest ended on gen')).toBeVisible();
  for (const name of ['Run', 'Step', 'Reset', 'Share'])
    await expect(page.getByRole('banner').getByRole('button', { name })).toHaveAccessibleDescription('The machine has ended.');
  expect(await unexplained(lab), 'ended').toEqual([]);
});
