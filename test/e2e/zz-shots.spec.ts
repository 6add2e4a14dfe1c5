import { test } from './page';
for (const theme of ['dark', 'light'] as const)
  test(`shots ${theme}`, async ({ lab, page }) => {
    await page.emulateMedia({ colorScheme: theme });
    await lab.open();
    await lab.monitor('savevm before-the-change');
    await lab.monitor('layout_save plain');
    await page.getByLabel('Snapshot file to import').setInputFiles({ name: 'broken.mslm', mimeType: 'a/b', buffer: Buffer.from('xx') });
    await page.getByRole('region', { name: 'Change set and snapshots' }).getByRole('button', { name: /^Save/ }).click();
    await page.getByRole('alert').first().waitFor();
    await page.screenshot({ path: `/tmp/PAGE2/desk-${theme}.png` });
    await page.getByRole('button', { name: /choose another guest/ }).click();
    await page.getByLabel('Kernel, or kernel and initrd').setInputFiles([{ name: 'vmlinuz-6.1', mimeType: 'a/b', buffer: Buffer.alloc(3000) }, { name: 'initrd.img', mimeType: 'a/b', buffer: Buffer.from('070701') }]);
    await page.screenshot({ path: `/tmp/PAGE2/pick-${theme}.png` });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /choose another guest/ }).click();
    await page.screenshot({ path: `/tmp/PAGE2/phone-pick-${theme}.png` });
    await page.keyboard.press('Escape');
    await page.getByRole('navigation', { name: 'Panes' }).getByRole('button', { name: 'More' }).click();
    await page.screenshot({ path: `/tmp/PAGE2/phone-${theme}.png` });
  });
