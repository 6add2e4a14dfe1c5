/** The page walk: by register, by address, where it stops, and links from its addresses to the map. */
import { expect, test } from './page';

test('walks rip and any address, says where it stops, and shows the tables on the map', async ({ lab, page }) => {
  await lab.open();
  await page.getByRole('tab', { name: 'Page walk' }).click();
  const panel = page.getByRole('tabpanel', { name: 'Page walk' });
  for (const name of ['PML4E[0]', 'PDPTE[0]', 'PDE[0]']) await expect(panel.getByText(name)).toBeVisible();
  await expect(panel.getByText('page of 2 MiB')).toBeVisible();

  const field = panel.getByLabel('gva');
  await field.fill('0x3000123');
  await field.press('Enter');
  const printed = await lab.monitor('info walk 0x3000123');
  const gpa = /^gpa (0x[0-9a-f]+) \(memslot (\d+), hva (0x[0-9a-f]+)\)/m.exec(printed);
  if (!gpa) throw new Error(printed);
  await expect(panel.getByRole('button', { name: gpa[1]!, exact: true })).toBeVisible();
  await expect(panel.getByText(gpa[3]!, { exact: true })).toBeVisible();
  await panel.getByRole('button', { name: gpa[1]!, exact: true }).click();
  await expect(page.locator('footer')).toContainText(`slot ${gpa[2]}`);
  await expect(page.getByRole('tab', { name: `Slot ${gpa[2]}` })).toBeVisible();

  await field.fill('0x800000000000');
  await field.press('Enter');
  await expect(panel.getByText(/Stops here: not canonical: bits 63 to 47 are not all equal/)).toBeVisible();
  await field.fill('$rip+1x');
  await field.press('Enter');
  await expect(panel.getByText(/'\$rip\+1x' is not an address/)).toBeVisible();
  await panel.getByRole('button', { name: 'rsp' }).click();
  await expect(panel.getByText('PML4E[0]')).toBeVisible();
});

test('an address in the monitor links to its place on the map, a host address to where the guest sees it', async ({ lab, page }) => {
  await lab.open();
  const { id, gpa } = await lab.slot('ram.b');
  await lab.typeMonitor('info memslots');
  // The row's second address of that length is the hva; it may be split over several text nodes.
  const row = page.locator('#panel-monitor .xterm-rows > div').filter({ hasText: 'ram.b' });
  const place = await row.evaluate((element) => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const wanted = (element.textContent ?? '').search(/0x[0-9a-f]{8}(?![0-9a-f])/) + 4;
    let before = 0;
    for (let node = walker.nextNode(); node; before += node.textContent?.length ?? 0, node = walker.nextNode()) {
      if (wanted >= before + (node.textContent?.length ?? 0)) continue;
      const range = document.createRange();
      range.setStart(node, wanted - before);
      range.setEnd(node, wanted - before + 1);
      const { x, y, width, height } = range.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    }
    throw new Error(`no host address in ${element.textContent}`);
  });
  await page.mouse.move(place.x, place.y);
  await expect(page.locator('#panel-monitor .xterm-cursor-pointer')).toHaveCount(1);
  await page.mouse.click(place.x, place.y);
  await expect(page.getByRole('tab', { name: `Slot ${id}` })).toBeVisible();
  await expect(page.locator('#panel-slot').getByLabel('Address', { exact: true })).toHaveValue(`0x${gpa.toString(16)}`);
});
