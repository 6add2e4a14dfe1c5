/** The guide about KVM itself: starts linux-kvm, counts the holes of its own ioctls, and does the same in one commit. */
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
});
