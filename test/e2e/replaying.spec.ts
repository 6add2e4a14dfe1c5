/** While a replay runs, no other input reaches the machine: every control says so, and none acts. */
import { expect, openLongReplay, plugTwoDimms, test } from './page';

const REASON = 'A replay is running: no other input reaches the machine until it ends.';

test('controls are disabled, with the reason, while a replay runs, and work again when it is cancelled', async ({ lab, page }) => {
  test.setTimeout(180_000);
  await lab.open();
  await plugTwoDimms(lab);
  const { id } = await lab.slot('dimm1');
  await lab.monitor(`memslot_flags ${id} -l`);
  await lab.monitor('changeset_begin');
  await lab.monitor(`memslot_move ${id} 0x100000000`);
  await openLongReplay(lab);
  await expect(page.getByText('1 of 1 fit')).toBeVisible();

  const toast = page.getByRole('status').filter({ hasText: REASON });
  for (const name of ['Commit Ctrl ↵', 'Step', 'Legacy', 'Abort', 'Drop entry 1', 'Undo', 'Stop', 'Reset', 'Share']) {
    const button = page.getByRole('button', { name, exact: true }).last();
    await expect(button).toHaveAttribute('aria-disabled', 'true');
    await expect(button).toHaveAttribute('title', REASON);
    // Playwright considers it disabled and would wait.
    await button.click({ force: true });
    await expect(toast).toBeVisible();
  }
  await expect(page.getByRole('dialog')).toHaveCount(0);
  // On the map, neither a drag nor a key starts an edit.
  const map = page.getByRole('application', { name: 'Map of guest-physical memory' });
  await map.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('m');
  await expect(page.getByRole('textbox', { name: /new address/i })).toHaveCount(0);
  await page.keyboard.press('Delete');
  await page.keyboard.press('Control+z');
  await expect(page.getByText('1 of 1 fit')).toBeVisible();
  // The monitor still runs commands that change nothing.
  expect(await lab.typeMonitor('undo')).toContain('a replay is running: cancel it, or wait for its end');
  expect(await lab.monitor('info status')).toContain('VM status:');
  await lab.typeConsole('x');
  await expect(toast).toBeVisible();

  await toast.getByRole('button', { name: 'Cancel it' }).click();
  await expect(page.getByText('Replay cancelled after')).toBeVisible();
  const commit = page.getByRole('button', { name: /^Commit/ });
  await expect(commit).not.toHaveAttribute('aria-disabled', 'true');
  await commit.click();
  await expect(page.getByText(/^Committed, gen/)).toBeVisible();
  expect((await lab.slot('dimm1')).gpa).toBe(0x1_0000_0000);
  expect(lab.errors).toEqual([]);
});
