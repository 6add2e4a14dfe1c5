/** Input in both terminals: keys, text without keys, copy and paste, printed links. */
import { expect, MEMLAB_PROMPT, test } from './page';

/** As in the platform's terminals, Ctrl C and Ctrl V go to the guest in the console; in the monitor the page handles them. */
test('keys stay in the terminal, text without keys is typed once, the clipboard works, with and without a screen reader', async ({
  lab,
  page,
}) => {
  await lab.open();
  const input = await page.context().newCDPSession(page);
  const console = page.getByRole('textbox', { name: 'Guest console' });
  const monitor = page.getByRole('textbox', { name: 'Monitor' });
  const loads = await page.evaluate(() => performance.timeOrigin);

  for (const reader of [false, true]) {
    await page.getByRole('button', { name: 'Keys', exact: true }).click();
    const readOut = page.getByRole('checkbox', { name: /Read the terminals aloud/ });
    await expect(readOut).toBeChecked({ checked: false });
    if (reader) await readOut.check();
    await page.keyboard.press('Escape');
    await expect(page.locator('.xterm-accessibility')).toHaveCount(reader ? 2 : 0);

    await console.focus();
    for (const key of ['F5', 'F1', 'F3', 'Control+r']) await page.keyboard.press(key);
    await page.keyboard.press('Control+u');
    // As from an emoji picker, dictation or a text expander: text without a key event, or with a key that is never released.
    await page.keyboard.insertText('peek ');
    await page.keyboard.down('Meta');
    await page.keyboard.insertText('0x');
    await page.keyboard.up('Meta');
    await page.keyboard.type('1000');
    // An input method: composed first, then committed.
    await input.send('Input.imeSetComposition', { text: '0', selectionStart: 1, selectionEnd: 1 });
    await input.send('Input.insertText', { text: '00' });
    await expect.poll(() => lab.consoleText()).toMatch(/lab> peek 0x100000$/);
    await page.keyboard.press('Enter');
    await lab.consoleShows(/0x00100000: 0x[0-9a-f]{16}/);
    await lab.consoleEndsWith(MEMLAB_PROMPT);

    await page.evaluate(() => navigator.clipboard.writeText('sum 0x100000 64'));
    await page.keyboard.press('Control+Shift+V');
    await expect.poll(() => lab.consoleText()).toMatch(/lab> sum 0x100000 64$/);
    await page.keyboard.press('Control+c');
    await lab.consoleShows(/\^C\nlab>$/);

    await monitor.focus();
    await page.keyboard.press('Control+l');
    await page.keyboard.insertText('print');
    await page.evaluate(() => navigator.clipboard.writeText(' 6*7'));
    await page.keyboard.press('Control+v');
    await expect.poll(() => lab.monitorText()).toBe('(lab) print 6*7');
    await page.keyboard.press('Enter');
    await expect.poll(() => lab.monitorText()).toBe('(lab) print 6*7\n0x2a\n(lab)');
    await page
      .locator('#panel-monitor .xterm-rows > div')
      .nth(1)
      .dblclick({ position: { x: 8, y: 6 }, force: true });
    await monitor.focus();
    await page.keyboard.press('Control+c');
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('0x2a');
    await page.keyboard.type('inf');
    await page.keyboard.press('Control+c');
    await expect.poll(() => lab.monitorText()).toMatch(/\(lab\) inf\^C\n\(lab\)$/);
  }

  await page.reload();
  await lab.consoleEndsWith(MEMLAB_PROMPT);
  expect(await page.evaluate(() => performance.timeOrigin)).not.toBe(loads);
  await expect(page.locator('.xterm-accessibility')).toHaveCount(2);
  expect(lab.errors).toEqual([]);
});

test('a printed share link is clickable over all of its rows; the rows can be read as text', async ({ lab, page, context }) => {
  await lab.open();
  await lab.typeMonitor('share');
  const rows = page.locator('#panel-monitor .xterm-rows > div').filter({ hasText: /[\w-]{20}/ });
  expect(await rows.count()).toBeGreaterThan(1);
  await expect(page.getByRole('figure', { name: 'Monitor, as text' })).toContainText('#l=');
  const link = (await lab.monitorText())
    .split('\n')
    .filter((row) => /[\w-]{20}/.test(row))
    .join('');
  const opened = context.waitForEvent('page');
  await rows.last().hover({ position: { x: 30, y: 6 }, force: true });
  await expect(page.locator('#panel-monitor .xterm-cursor-pointer')).toHaveCount(1);
  await rows.last().click({ position: { x: 30, y: 6 }, force: true });
  expect((await opened).url()).toBe(link.slice(link.indexOf('http')));
});

test('a phone copies and pastes with buttons, and its terminals mention no keys', async ({ lab, page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await lab.open();
  await page.getByRole('button', { name: 'Terminals' }).click();
  await page.evaluate(() => navigator.clipboard.writeText('uptime\n'));
  await page.getByRole('button', { name: 'Paste into the console' }).click();
  await lab.consoleShows(/s of guest time/);
  await page.getByRole('button', { name: 'Copy from the console' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toMatch(/lab> uptime\n.*s of guest time/);
  await page.getByRole('tab', { name: 'Monitor' }).click();
  await expect(page.getByText('Tab completes')).toBeHidden();
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true }));
  await page.getByRole('button', { name: 'Paste into the monitor' }).click();
  await page.getByRole('textbox', { name: /Paste here/ }).fill('print 6*7');
  await page.getByRole('button', { name: 'Type it into the monitor' }).click();
  await page.keyboard.press('Enter');
  await expect.poll(() => lab.monitorText()).toMatch(/\n0x2a\n/);
});
