/**
 * The guide on KVM itself: starts linux-kvm, counts the holes caused by its ioctls, and repeats the exchange in one commit; the nested guest's page
 * walk and memory.
 */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from './page';

const INDEX = 'public/guests/index.json';
const prepared = existsSync(INDEX) && readFileSync(INDEX, 'utf8').includes('"linux-kvm"');

test.skip(!prepared, 'the linux-kvm guest is not prepared: npm run guests -- linux-kvm');

test('the hole in KVM itself: counted in a nested guest, none in one commit', async ({ lab, page }) => {
  test.setTimeout(240_000);
  await lab.open('./#guide=kvm');
  const pane = page.getByRole('region', { name: 'Guide', exact: true });
  await pane.getByRole('button', { name: 'Start linux-kvm' }).click();
  const doIt = pane.getByRole('button', { name: /^Do it: Exchange two slots in KVM/ });
  await expect(doIt).toBeVisible({ timeout: 120_000 });
  const asBooted = await lab.slots();
  await doIt.click();
  await pane.getByRole('button', { name: /^Do it: Exchange two slots of the machine/ }).click({ timeout: 60_000 });
  await expect(pane.getByText(/KVM’s nested guest fell into the hole [1-9]/)).toBeVisible({ timeout: 30_000 });
  const row = (name: string) =>
    pane
      .getByRole('row')
      .filter({ has: page.getByRole('rowheader', { name, exact: true }) })
      .getByRole('cell')
      .allInnerTexts();
  expect(await row('Calls')).toEqual(['4', '1']);
  expect(await row('Swaps of the sets')).toEqual(['6', '2']);
  const [holes, none] = await row('Holes the guest fell into');
  expect(Number(holes)).toBeGreaterThan(0);
  expect(none).toBe('0');
  await pane.getByRole('button', { name: 'Start over' }).click();
  await expect.poll(() => lab.slots()).toEqual(asBooted);
  await pane.getByRole('button', { name: 'Close the guide' }).click();

  // Stopped while its nested guest runs: shows both levels of page tables and the nested guest's memory.
  const command = "kvm-memslots 'create 0 0x10000 64K' 'create 1 0x20000 64K' 'exchange 0 1 100000'";
  await page.evaluate((text) => window.lab.console.type(text), `\rquit\r${command}\r`);
  const stopsInside = async (): Promise<string> => {
    await lab.monitor('stop');
    const text = await lab.monitor('info nested');
    if (!text.includes('runs the guest')) await lab.monitor('cont');
    return text;
  };
  await expect.poll(stopsInside, { timeout: 60_000 }).toMatch(/^vCPU 0: runs the guest of VMCB 0x[0-9a-f]+, ASID \d+; 4-level tables/);
  await page.getByRole('tab', { name: 'Page walk' }).click();
  const panel = page.getByRole('tabpanel', { name: 'Page walk' });
  await panel.getByLabel('gva').fill('0xf000');
  await panel.getByLabel('gva').press('Enter');
  await expect(panel.getByText('A nested guest runs')).toBeVisible();
  for (const name of ['nested PML4E[0]', 'nested PTE[15]']) await expect(panel.getByText(name)).toBeVisible();
  const gpa = /^gpa nested gpa 0xf000 = (0x[0-9a-f]+) /m.exec(await lab.monitor('info walk 0xf000'))?.[1];
  if (!gpa) throw new Error(await lab.monitor('info walk 0xf000'));
  await panel.getByRole('button', { name: gpa, exact: true }).click();
  await expect(page.getByRole('list', { name: 'Legend' }).getByText('Nested guest')).toBeAttached();
  await expect(page.locator('#map-describes')).toContainText(/[0-9.]+ [KM]iB are a nested guest’s memory/);
});
