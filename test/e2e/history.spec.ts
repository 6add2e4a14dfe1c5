/** The history and the page's texts are accurate at every moment. */
import { expect, test } from './page';

test('holes are listed at their entry, flags and host moves say what changed, crashing the guest needs confirmation, quit is no error', async ({
  lab,
  page,
}) => {
  await lab.open();
  const history = page.getByRole('region', { name: 'History' });
  const commits = history.getByRole('list', { name: 'Commits, oldest first' }).getByRole('listitem');
  const differences = history.getByRole('list', { name: 'Differences' });
  await lab.shell('peek 0x40000000');
  await expect(commits.nth(0)).toContainText('1 hole');

  await lab.monitor('memslot_add 20 1T 2M');
  await lab.monitor('memslot_flags 20 -l');
  await expect(commits.nth(2)).toContainText('20 +L');
  await expect(differences).toContainText('20 bare.20 +L');
  await lab.monitor('memslot_rehost 20');
  await expect(differences).toContainText(/20 bare\.20 hva 0x[0-9a-f]+ → 0x[0-9a-f]+/);
  // A click on the live entry shows what it changed, not the machine as booted.
  await commits.nth(3).getByRole('button').click();
  await expect(differences).toContainText(/20 bare\.20 hva 0x[0-9a-f]+ → 0x[0-9a-f]+/);
  await lab.monitor('memslot_move 20 2T');
  await commits.nth(1).getByRole('button').click();
  await expect(differences).toContainText(/0x10000000000 → 0x20000000000, hva 0x[0-9a-f]+ → 0x[0-9a-f]+, \+L/);

  await lab.monitor('stop');
  await expect(page.getByText(/^The guest stands on gen \d+/)).toBeVisible();
  // Stopped, so that it does not crash: removing memory that the guest's own code uses needs confirmation.
  await lab.monitor('memslot_move 3 3T');
  await history.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByText(/^Undone: now/)).toBeVisible();
  await history.getByRole('button', { name: 'Redo' }).click();
  await expect(
    page.getByText(/The guest uses the code that vCPU 0 runs at 0x[0-9a-f]+.* has not been asked for consent: it will crash\./),
  ).toBeVisible();
  expect(await lab.monitor('info memslots')).toContain('0x000000100000');
  await page.getByRole('button', { name: 'Redo all the same' }).click();
  await expect.poll(() => lab.monitor('info memslots')).toContain('0x030000000000');
  await lab.monitor('layout_save moved');
  await history.getByRole('button', { name: 'Undo' }).click();
  await expect.poll(() => lab.monitor('info memslots')).toContain('0x000000100000');

  // A history entry and a saved layout that remove the same memory need confirmation too, each with its own button.
  const ways = {
    'Go there': () => commits.last().getByRole('button').press('Enter'),
    Load: () => page.getByRole('button', { name: 'Load layout moved' }).click(),
  };
  for (const [verb, act] of Object.entries(ways)) {
    await act();
    await expect(
      page.getByText(/The guest uses the code that vCPU 0 runs at .* has not been asked for consent: it will crash\./),
    ).toBeVisible();
    expect(await lab.monitor('info memslots')).toContain('0x000000100000');
    await page.getByRole('button', { name: `${verb} all the same` }).click();
    await expect.poll(() => lab.monitor('info memslots')).toContain('0x030000000000');
    await lab.monitor('undo');
    await expect.poll(() => lab.monitor('info memslots')).toContain('0x000000100000');
  }

  await page.getByRole('textbox', { name: 'Monitor' }).focus();
  await page.keyboard.type('quit\r');
  await expect(page.getByRole('alert').filter({ hasText: 'The machine has ended.' })).toBeVisible();
  await expect.poll(() => lab.monitorText()).not.toContain('Error');
  expect(lab.errors).toEqual([]);
});
