/** Links in fresh browsers: a layout, a machine's state and a replay give the same layout and the same digest; so do files, and nothing is lost. */
import { readFileSync } from 'node:fs';
import type { Browser, Locator } from '@playwright/test';
import { expect, LabPage, plugTwoDimms, recordLong, test } from './page';

const dialog = (lab: LabPage): Locator => lab.page.getByRole('dialog', { name: 'Share' });
const banner = (lab: LabPage, text: string | RegExp): Locator => lab.page.locator('.banner').filter({ hasText: text });

async function linkFrom(lab: LabPage, kind: 'Layout' | 'Machine state' | 'Replay'): Promise<string> {
  const prefix = { Layout: 'l', 'Machine state': 's', Replay: 'r' }[kind];
  await lab.page.getByRole('button', { name: 'Share', exact: true }).click();
  await dialog(lab).getByRole('button', { name: kind, exact: true }).click();
  const field = dialog(lab).getByLabel('Link');
  await expect(field).toHaveValue(new RegExp(`#${prefix}=1\\.`));
  await expect(dialog(lab)).toContainText(/\d characters/);
  const link = await field.inputValue();
  await lab.page.keyboard.press('Escape');
  return link;
}

async function elsewhere(browser: Browser): Promise<LabPage> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  return new LabPage(await context.newPage());
}

const digest = (lab: LabPage): Promise<string> => lab.page.evaluate(() => window.lab.digest());

/** Two DIMMs exchanged under a guest that watches one of them, atomically and one by one, undone, and something typed. */
async function session(lab: LabPage): Promise<void> {
  await plugTwoDimms(lab);
  const [first, second] = [await lab.slot('dimm1'), await lab.slot('dimm2')];
  await lab.shell(`poke 0x${first.gpa.toString(16)} 0x1111`);
  await lab.typeConsole(`watch 0x${first.gpa.toString(16)}\r`);
  await lab.consoleShows(/any key ends/);
  for (const commit of ['changeset_commit', 'changeset_commit -l']) {
    const there = commit.endsWith('-l');
    await lab.monitor('changeset_begin');
    await lab.monitor(`memslot_move ${first.id} 0x${(there ? first : second).gpa.toString(16)}`);
    await lab.monitor(`memslot_move ${second.id} 0x${(there ? second : first).gpa.toString(16)}`);
    expect(await lab.monitor(commit)).toContain('generation');
  }
  await lab.consoleShows(/hole/);
  await lab.monitor('undo');
  await lab.typeConsole('q');
  await lab.consoleEndsWith(/lab> $/);
}

test('a layout link, a state link and a replay link open the same layout and the same machine in fresh browsers', async ({
  lab,
  browser,
}) => {
  test.setTimeout(180_000);
  await lab.open();
  await session(lab);
  await lab.page.getByRole('button', { name: 'Stop' }).click();
  await expect(lab.page.getByRole('status').filter({ hasText: 'Stopped' })).toBeVisible();
  const [slots, hash] = [await lab.slots(), await digest(lab)];

  const byLayout = await elsewhere(browser);
  await byLayout.open(await linkFrom(lab, 'Layout'));
  expect(await byLayout.slots()).toEqual(slots);

  const byState = await elsewhere(browser);
  await byState.open(await linkFrom(lab, 'Machine state'));
  await expect(byState.page.getByRole('status').filter({ hasText: 'its digest is equal' })).toContainText(hash);
  expect(await digest(byState)).toBe(hash);
  expect(await byState.slots()).toEqual(slots);
  expect(await byState.consoleText()).toContain('reads, 3 changes, 1 hole');

  const byReplay = await elsewhere(browser);
  const link = await linkFrom(lab, 'Replay');
  expect(link.length).toBeLessThan(2000);
  await byReplay.page.goto(link);
  await expect(banner(byReplay, 'the digest is equal')).toContainText(`Recorded: ${hash}. This machine: ${hash}`, { timeout: 60_000 });
  expect(await digest(byReplay)).toBe(hash);
  expect(await byReplay.slots()).toEqual(slots);
  expect(await byReplay.consoleText()).toMatch(/hole/);
  // The guest continues from there.
  await byReplay.page.getByRole('button', { name: 'Run' }).click();
  expect(await byReplay.shell('mem')).toContain('lab>');
  for (const each of [lab, byLayout, byState, byReplay]) expect(each.errors).toEqual([]);
});

test('a long replay reports its progress, takes no other input, and can be cancelled', async ({ lab, browser }) => {
  test.setTimeout(180_000);
  await lab.open();
  await recordLong(lab);
  const link = await linkFrom(lab, 'Replay');
  // Two busy guests would take both cores of a small machine from the page.
  await lab.page.goto('about:blank');
  const other = await elsewhere(browser);
  await other.page.goto(link);
  await expect(other.page.getByText(/^\d\.\d\d of \d+\.\d\d G instructions, digest checked at the end$/)).toBeVisible({ timeout: 30_000 });
  await expect(other.page.getByRole('status').filter({ hasText: 'Replaying' })).toBeVisible();
  await expect(other.page.getByRole('button', { name: 'Reset' })).toBeDisabled();
  expect(await other.page.evaluate(() => window.lab.monitor('stop').catch((error: Error) => error.message))).toContain(
    'a replay is running',
  );
  await other.page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await expect(other.page.getByText(/Replay cancelled after/)).toBeVisible();
  await other.typeConsole('q');
  await other.consoleEndsWith(/lab> $/);
});

test('a replay with a wrong digest is reported with both values and the version that made it', async ({ lab, browser }) => {
  await lab.open();
  const link = await linkFrom(lab, 'Replay');
  // Another digest and another program version in its head, packed as the engine does.
  const wrong = await lab.page.evaluate(async (text) => {
    const binary = atob((text.split('#r=1.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'));
    const packed = Uint8Array.from(binary, (char) => char.charCodeAt(0)).slice(4);
    const pipe = async (bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream) =>
      new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
    const content = await pipe(packed, new DecompressionStream('deflate-raw'));
    const latin = Array.from(content, (byte) => String.fromCharCode(byte)).join('');
    const changed = latin
      .replace(/"digest":"[0-9a-f]{64}"/, `"digest":"${'0'.repeat(64)}"`)
      .replace(/"program":"[0-9a-f]{12}"/, '"program":"0123456789ab"');
    const bytes = Uint8Array.from(changed, (char) => char.charCodeAt(0));
    let crc = -1;
    for (const byte of bytes) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
    const deflated = await pipe(bytes, new CompressionStream('deflate-raw'));
    const all = new Uint8Array(4 + deflated.length);
    new DataView(all.buffer).setUint32(0, ~crc >>> 0, true);
    all.set(deflated, 4);
    return `${text.split('#')[0]}#r=1.${btoa(String.fromCharCode(...all))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replaceAll('=', '')}`;
  }, link);
  const other = await elsewhere(browser);
  await other.page.goto(wrong);
  await expect(banner(other, 'the digest differs')).toContainText(
    new RegExp(
      `Recorded: ${'0'.repeat(64)}\\. This machine: [0-9a-f]{64}\\. It was made with another version of memslot-lab \\(0123456789ab, this is [0-9a-f]{12}\\)`,
    ),
    {
      timeout: 30_000,
    },
  );
});

test('a replay and a state can be saved as files, and dropped on the page or imported', async ({ lab, page, browser }) => {
  test.setTimeout(120_000);
  await lab.open();
  await lab.shell('poke 0x2000000 0x1234');
  await page.getByRole('button', { name: 'Stop' }).click();
  const hash = await digest(lab);
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  const files: Record<string, Buffer> = {};
  for (const kind of ['Machine state', 'Replay']) {
    await dialog(lab).getByRole('button', { name: kind, exact: true }).click();
    const [download] = await Promise.all([page.waitForEvent('download'), dialog(lab).getByRole('button', { name: 'Save a file' }).click()]);
    files[download.suggestedFilename().split('.').at(-1) ?? ''] = readFileSync(await download.path());
  }
  expect(Object.keys(files)).toEqual(['mslm', 'replay']);
  const other = await elsewhere(browser);
  await other.open();
  const dropped = await other.page.evaluateHandle(
    (bytes) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(bytes)], 'mine.replay'));
      return transfer;
    },
    [...(files.replay ?? [])],
  );
  await other.page.dispatchEvent('body', 'drop', { dataTransfer: dropped });
  await banner(other, 'Replay mine.replay?').getByRole('button', { name: 'Replay' }).click();
  await expect(banner(other, 'the digest is equal')).toContainText(hash, { timeout: 30_000 });
  const importer = other.page.getByLabel('Snapshot file to import');
  await importer.setInputFiles({ name: 'state.mslm', mimeType: '', buffer: files.mslm ?? Buffer.alloc(0) });
  await other.page.getByRole('button', { name: 'Load machine state' }).click();
  await expect(other.page.getByText('Loaded state.')).toBeVisible();
  expect(await digest(other)).toBe(hash);
  const damaged = Buffer.from(files.replay ?? []);
  damaged[damaged.length - 5] = (damaged.at(-5) ?? 0) ^ 1;
  await importer.setInputFiles({ name: 'damaged.replay', mimeType: '', buffer: damaged });
  await expect(banner(other, 'damaged.replay was refused:')).toContainText('damaged');
});

test('a link cannot name a local guest file: the page gives the reason, and offers a file instead', async ({ lab, page }) => {
  await lab.open();
  await page.getByRole('button', { name: /choose another guest/ }).click();
  const kernel = readFileSync('guests/memlab/memlab.elf');
  await page.locator('input[type=file]').first().setInputFiles({ name: 'mine.elf', mimeType: '', buffer: kernel });
  await page.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(page.getByRole('button', { name: /^mine\.elf/ })).toBeVisible();
  await lab.consoleEndsWith(/lab> $/);
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  await dialog(lab).getByRole('button', { name: 'Replay', exact: true }).click();
  await expect(dialog(lab).getByRole('alert')).toContainText("'mine.elf' is a local file");
  await expect(dialog(lab).getByRole('button', { name: 'Save a file' })).toBeEnabled();
  expect(await lab.monitor('share -s')).toContain("Error: 'mine.elf' is a local file");
});

test('the monitor and window.lab make the same links', async ({ lab, page }) => {
  await lab.open();
  await lab.monitor('stop');
  expect(await lab.monitor('share -s')).toMatch(/#s=1\.[\w-]+\n$/);
  expect(await page.evaluate(() => window.lab.share('state'))).toMatch(/#s=1\.[\w-]+$/);
  expect(await lab.monitor('share -r')).toMatch(/#r=1\.[\w-]+\n$/);
  expect(await lab.monitor('share -r -s')).toContain('Error: ');

  // If no replay can be made, no replay file can be saved either; the button gives the reason.
  expect(await lab.monitor(`memslot_add 20 1T${'+0'.repeat(2100)} 2M`)).toBe('');
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  await dialog(lab).getByRole('button', { name: 'Replay', exact: true }).click();
  await expect(dialog(lab).getByRole('alert')).toContainText('No replay can be made: an input came that a journal cannot contain');
  const save = dialog(lab).getByRole('button', { name: 'Save a file' });
  await expect(save).toHaveAttribute('aria-disabled', 'true');
  await expect(save).toHaveAttribute('title', /^No replay can be made: /);
  await dialog(lab).getByRole('button', { name: 'Machine state', exact: true }).click();
  await expect(dialog(lab).getByLabel('Link')).toHaveValue(/#s=1\./);
  await expect(save).not.toHaveAttribute('aria-disabled', 'true');
});

test('loading a machine can be undone, also after a change of machine', async ({ lab, page }) => {
  await lab.open();
  await lab.monitor('savevm small');
  await lab.shell('poke 0x2000000 0x4321');
  await page.getByRole('button', { name: 'Load machine small' }).click();
  await expect(page.getByText('Loaded small.')).toBeVisible();
  expect(await lab.shell('peek 0x2000000')).not.toContain('4321');
  await page.getByRole('button', { name: 'Load machine small' }).click();
  await expect.poll(() => lab.consoleText()).not.toContain('peek');
  await page.locator('.toast').getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByText('The previous machine is restored.')).toBeVisible();
  expect(await lab.consoleText()).toContain('peek');

  await page.getByRole('button', { name: /choose another guest/ }).click();
  await page.getByLabel('-m', { exact: true }).fill('64M');
  await page.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(page.getByRole('button', { name: /-m 64M/ })).toBeVisible();
  await lab.consoleEndsWith(/lab> $/);
  await lab.shell('poke 0x2000000 0x777');
  await page.getByRole('button', { name: 'Load machine small' }).click();
  await expect(page.getByRole('button', { name: /-m 192M/ })).toBeVisible();
  await page.locator('.toast').getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByText('The previous machine is restored.')).toBeVisible();
  await expect(page.getByRole('button', { name: /-m 64M/ })).toBeVisible();
  expect(await lab.shell('peek 0x2000000')).toContain('777');
});
