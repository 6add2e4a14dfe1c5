/** The Trace pane: the events of a move, by keys; the filter; exits by reason. */
import { violations } from './axe';
import { expect, plugTwoDimms, test } from './page';

test('a hole is found in the trace, events are filtered, and exits counted by reason', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  const dimm = await lab.slot('dimm1');
  await page.getByRole('tab', { name: 'Trace' }).click();
  const pane = page.getByRole('tabpanel', { name: 'Trace' });
  await expect(pane).toContainText('Not recording');
  await pane.getByRole('button', { name: 'Record' }).click();
  await lab.typeConsole(`watch 0x${dimm.gpa.toString(16)}\r`);
  await lab.consoleShows(/any key ends/);
  await lab.monitor(`memslot_move ${dimm.id} 0x100000000`);
  // Wait until the guest has run.
  await expect.poll(() => lab.monitor('info kvm-stat')).toContain(' HOLE ');
  await lab.monitor('undo');
  const list = pane.getByRole('listbox', { name: 'Events' });
  await expect(list.getByRole('option').first()).toBeVisible();
  await pane.getByRole('button', { name: 'Pause' }).click();

  // Only a few of the recorded events become rows.
  expect(await list.getByRole('option').count()).toBeLessThan(120);
  await list.focus();
  await page.keyboard.press('h');
  const selected = list.getByRole('option', { selected: true });
  await expect(selected).toContainText('vcpu_hole');
  await expect(selected).toContainText(`at 0x${dimm.gpa.toString(16)}`);
  await expect(selected).toBeInViewport();
  await page.keyboard.press('Home');
  await expect(selected).toHaveAttribute('aria-posinset', '1');
  await page.keyboard.press('ArrowDown');
  await expect(selected).toHaveAttribute('aria-posinset', '2');

  await page.keyboard.press('/');
  await page.keyboard.type('event:memslot_* swap');
  await expect(list.getByRole('option').first()).toContainText('swap 1 of 2');
  await expect(pane.getByRole('status')).toHaveText(/^\d+ match$/);
  await page.keyboard.press('Control+a');
  await page.keyboard.type('gpa:nowhere');
  await expect(pane.getByRole('status')).toContainText('is not an address');
  await page.keyboard.press('Control+a');
  await page.keyboard.press('Delete');
  await expect(pane.getByRole('row', { name: /^HOLE/ })).toBeVisible();
  await expect(pane.getByRole('row', { name: /^IO_INSTRUCTION/ })).toBeVisible();
  expect(lab.errors).toEqual([]);
});

test('a key gives the trace the whole row, with terminals and change set as its first tabs; it shows slots and code', async ({
  lab,
  page,
}) => {
  await lab.open();
  await plugTwoDimms(lab);
  const dimm = await lab.slot('dimm1');
  await page.getByRole('tab', { name: 'Trace' }).click();
  const pane = page.getByRole('tabpanel', { name: 'Trace' });
  await pane.getByRole('button', { name: 'Record' }).click();
  await lab.typeConsole(`watch 0x${dimm.gpa.toString(16)}\r`);
  await lab.consoleShows(/any key ends/);
  await lab.monitor('changeset_begin');
  await lab.monitor(`memslot_move ${dimm.id} 0x1000`);
  expect(await lab.monitor('changeset_commit')).toContain('EEXIST');
  await lab.monitor('changeset_abort');
  const list = pane.getByRole('listbox', { name: 'Events' });
  const filter = pane.getByLabel('Filter');
  // Before the holes start, which fill the ring quickly.
  await filter.fill('event:memslot_refused');
  await expect(list.getByRole('option')).toHaveCount(1);
  await expect(list.getByRole('option')).toContainText(/in validate: EEXIST, memslot \d+ at/);
  await lab.monitor(`memslot_move ${dimm.id} 0x100000000`);
  await expect.poll(() => lab.monitor('info kvm-stat')).toContain(' HOLE ');
  await lab.monitor('undo');
  await pane.getByRole('button', { name: 'Pause' }).click();

  const narrow = (await pane.boundingBox())!.width;
  await filter.fill(`slot:${dimm.id} reason:HOLE`);
  await expect(list.getByRole('option').first()).toContainText(/vcpu_hole[\s\S]* [a-z_]+\+0x[0-9a-f]+/);
  await filter.fill(`slot:${dimm.id} event:memslot_*`);
  await expect(list.getByRole('option').first()).toContainText(`memslot_validate`);
  await filter.fill('');

  await list.focus();
  await page.keyboard.press('f');
  await expect.poll(async () => (await pane.boundingBox())!.width).toBeGreaterThan(narrow * 2);
  await expect(page.getByRole('textbox', { name: 'Guest console' })).toBeHidden();
  // The exits are next to the events, which keep the keyboard focus.
  const exits = (await pane.getByRole('table').boundingBox())!;
  expect(exits.x).toBeGreaterThan((await list.boundingBox())!.x + (await list.boundingBox())!.width - 1);
  await expect(list).toBeFocused();
  expect(await violations(lab)).toEqual([]);
  await page.getByRole('tab', { name: 'Terminals' }).click();
  await expect(page.getByRole('textbox', { name: 'Guest console' })).toBeVisible();
  await expect(pane).toBeHidden();
  await page.getByRole('tab', { name: 'Change set' }).click();
  await expect(page.getByRole('textbox', { name: 'Guest console' })).toBeHidden();

  // Remembered for the next visit; the button restores the old view.
  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  await page.getByRole('tab', { name: 'CPU' }).click();
  await expect(page.getByRole('textbox', { name: 'Guest console' })).toBeHidden();
  await page.getByRole('button', { name: 'Wide pane' }).click();
  await expect(page.getByRole('textbox', { name: 'Guest console' })).toBeVisible();
  expect(lab.errors).toEqual([]);
});
