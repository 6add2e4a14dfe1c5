/** A link to a crashed guest opens, the guest crashes again at the same instruction, and the page reports which instruction wrote a word last. */
import { expect, LabPage, plugTwoDimms, test } from './page';

test('a replay link of a crashed guest opens in another browser, and the page finds the last write to a word that moved', async ({
  lab,
  page,
  browser,
}) => {
  await lab.open();
  await plugTwoDimms(lab);
  const dimm = await lab.slot('dimm1');
  await lab.shell('poke 0x10000000 0x1111');
  await lab.shell('fill 0x18000000 16M 0x2222');
  await lab.shell('poke 0x10000000 0xbad');
  // A wrong change set: it moves the module, and removes the memory that holds the guest's code.
  const code = (await lab.slots()).find(({ gpa, size }) => gpa <= 0x100000 && gpa + size > 0x13e000)!;
  for (const line of ['changeset_begin', `memslot_move ${dimm.id} 0x20000000`, `memslot_del ${code.id}`, 'changeset_commit'])
    expect(await lab.monitor(line)).not.toContain('Error');
  // The guest sleeps at its prompt; the interrupt of a key makes it fetch code.
  await lab.typeConsole('x');
  const crashed = /Triple fault|fetched code where no slot is/;
  await expect(page.getByRole('alert').filter({ hasText: crashed })).toBeVisible();
  const link = await page.evaluate(() => window.lab.share('replay'));
  expect(link).toMatch(/#r=/);
  const digest = await page.evaluate(() => window.lab.digest());

  const other = new LabPage(await (await browser.newContext()).newPage());
  await other.page.goto(link);
  await expect(other.page.getByText('Replayed:')).toBeVisible({ timeout: 60_000 });
  await expect(other.page.getByRole('alert').filter({ hasText: crashed })).toBeVisible();
  expect(await other.page.evaluate(() => window.lab.digest())).toBe(digest);

  await other.page.getByRole('tab', { name: 'Breakpoints' }).click();
  const panel = other.page.getByRole('tabpanel', { name: 'Breakpoints' });
  await panel.getByLabel('Stop at').selectOption('gpa');
  await panel.getByLabel('Address').fill('0x20000000');
  await panel.getByRole('button', { name: 'Who wrote this last?' }).click();
  const answer = panel.getByText(
    /vCPU 0 at rip 0x[0-9a-f]+ \(command_poke\), instruction \d+ .*: 0xbad, 8 bytes at gva 0x10000000, gpa 0x10000000/,
  );
  await expect(answer).toBeVisible();
  // The search changes nothing: the guest is still at its crash. Going to the write brings back the module and the guest's code.
  expect(await other.page.evaluate(() => window.lab.digest())).toBe(digest);
  await panel.getByRole('button', { name: 'Go there' }).click();
  await expect(other.page.getByRole('status').filter({ hasText: 'Went there' })).toBeVisible();
  expect((await other.slot('dimm1')).gpa).toBe(0x10000000);
  expect(await other.monitor('xp /1gx 0x10000000')).toContain('0x0000000000001111');
  expect(other.errors).toEqual([]);
  await other.page.context().close();
});
