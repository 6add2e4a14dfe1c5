/** Other guests: QEMU's flags, own kernels chosen or dropped, and files that are no kernel. */
import { readFileSync } from 'node:fs';
import { expect, type LabPage, test } from './page';

const memlab = readFileSync('public/guests/memlab.elf');
const picker = (lab: LabPage) => lab.page.getByRole('dialog', { name: 'Boot a guest' });
const openPicker = (lab: LabPage) => lab.page.getByRole('button', { name: /choose another guest/ }).click();

test('-m and -append are checked at their fields, and a guest boots with them', async ({ lab, page }) => {
  await lab.open();
  await openPicker(lab);
  const boot = picker(lab).getByRole('button', { name: 'Boot', exact: true });
  await page.getByLabel('-m', { exact: true }).fill('64X');
  await boot.click();
  await expect(picker(lab).getByRole('alert')).toContainText('64X');
  await page.getByLabel('-m', { exact: true }).fill('96M,slots=2,maxmem=1G');
  await page.getByLabel('-append').fill('münchen');
  await boot.click();
  await expect(picker(lab).getByRole('alert')).toContainText('character 2');
  await page.getByLabel('-append').fill('quiet');
  await boot.click();
  await expect(page.getByRole('button', { name: /-m 96M,slots=2,maxmem=1G/ })).toBeVisible();
  await lab.consoleEndsWith(/lab> $/);
  await openPicker(lab);
  await expect(page.getByLabel('-append')).toHaveValue('quiet');
});

test('every flag of the machine can be set, a wrong one is marked at its field, and the page shows what runs', async ({ lab, page }) => {
  await lab.open();
  await openPicker(lab);
  const dialog = picker(lab);
  const boot = dialog.getByRole('button', { name: 'Boot', exact: true });
  await expect(dialog.getByLabel('memslot-index')).toHaveValue('btree');
  await expect(dialog.getByLabel('dirty-ring-size')).toHaveValue('0');
  await dialog.getByLabel('-smp').fill('9');
  await boot.click();
  await expect(dialog.getByRole('alert')).toHaveText('-smp 9: this machine has 1 to 8 vCPUs.');
  await expect(dialog.getByLabel('-smp')).toBeFocused();
  await dialog.getByLabel('-smp').fill('2');
  await dialog.getByLabel('memslot-index').selectOption('rbtree');
  await dialog.getByLabel('dirty-ring-size').selectOption('256 entries');
  await dialog.getByRole('checkbox', { name: '-S' }).check();
  await boot.click();
  await expect(page).toHaveTitle(/^memlab, paused/);
  await expect(page.getByRole('button', { name: /choose another guest/ })).toContainText('rbtree');
  expect(await lab.monitor('dirty_ring status')).toMatch(/\n0 +256 .*\n1 +256 /);
  await page.getByRole('tab', { name: 'Index' }).click();
  await expect(page.getByRole('rowheader', { name: 'Red-black tree, in use' })).toBeVisible();
  await page.getByRole('button', { name: 'Run' }).click();
  await lab.consoleEndsWith(/lab> $/);

  // If the engine refuses a device, the machine stays as it is, and the input can be corrected.
  await openPicker(lab);
  await expect(dialog.getByLabel('-smp')).toHaveValue('2');
  await expect(dialog.getByLabel('memslot-index')).toHaveValue('rbtree');
  await expect(dialog.getByLabel('dirty-ring-size')).toHaveValue('256');
  await dialog.getByLabel('-device').fill('-device virtio-mem-device,id=vm0,memdev=nope');
  await boot.click();
  await expect(page.getByRole('alert').filter({ hasText: 'memlab did not start:' })).toContainText("Device 'nope' not found");
  await openPicker(lab);
  await expect(dialog.getByRole('alert')).toContainText("Device 'nope' not found");
  await expect(dialog.getByLabel('-device')).toHaveValue('-device virtio-mem-device,id=vm0,memdev=nope');
  await expect(dialog.getByLabel('-device')).toHaveAttribute('aria-invalid', 'true');

  // No other slot can be placed in the range of a virtio-mem device: a drag into it and the refusal both name a free address.
  await dialog.getByLabel('-device').fill('');
  await dialog.getByRole('button', { name: 'Add virtio-mem and a balloon' }).click();
  await boot.click();
  await expect.poll(() => lab.monitor('info memory-devices')).toContain('vm0');
  const room = Number(/memaddr: (0x[0-9a-f]+)/.exec(await lab.monitor('info memory-devices'))?.[1]);
  const end = room + 2 ** 30;
  expect(await lab.monitor(`memslot_add 20 0x${end.toString(16)} 256M`)).toBe('');
  await page.getByRole('application', { name: 'Map of guest-physical memory' }).focus();
  await page.keyboard.press('/');
  await page.keyboard.type(`0x${(end + 2 ** 27).toString(16)}`);
  await page.keyboard.press('Enter');
  const box = await page.locator('.stage canvas').boundingBox();
  if (!box) throw new Error('the map has no size');
  const [middle, y] = [box.x + 84 + (box.width - 98) / 2, box.y + 150];
  await page.mouse.move(middle, y);
  await page.mouse.down();
  await page.mouse.move(middle - 150, y, { steps: 6 });
  const nearest = `nearest free address: 0x${end.toString(16)}`;
  await expect(page.getByRole('status').filter({ hasText: 'Move' })).toContainText(`overlaps the room that vm0 keeps (${nearest})`);
  await page.mouse.up();
  const changes = page.getByRole('region', { name: 'Change set and snapshots' });
  await expect(changes).toContainText("which memory device 'vm0' keeps");
  await expect(changes).toContainText(nearest);
  await changes.getByRole('button', { name: /^move to 0x/ }).click();
  await expect(changes).toContainText('1 of 1 fits');
  expect(lab.errors).toEqual([]);
});

test('the machine refuses a file that is no kernel, and the old guest continues', async ({ lab, page }) => {
  await lab.open();
  await lab.shell('poke 0x2000000 0x4711');
  await openPicker(lab);
  await page
    .getByLabel('Kernel, or kernel and initrd')
    .setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('not a kernel') });
  await expect(picker(lab).getByRole('radio', { name: /notes\.txt/ })).toBeChecked();
  await picker(lab).getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'notes.txt did not start:' })).toContainText(
    /neither a bzImage nor a Multiboot image nor a boot sector\. memlab keeps running/,
  );
  expect(await lab.shell('peek 0x2000000')).toContain('4711');
  expect(lab.errors).toEqual([]);
});

test('symbols dropped on the page are used at once, or refused with a reason', async ({ lab, page }) => {
  await lab.open();
  const drop = async (name: string, bytes: Uint8Array): Promise<void> => {
    const data = await page.evaluateHandle(
      ([file, content]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(content)], file));
        return transfer;
      },
      [name, [...bytes]] as const,
    );
    await page.dispatchEvent('body', 'drop', { dataTransfer: data });
  };
  const text = (lines: string): Uint8Array => new TextEncoder().encode(lines);
  const main = /0x[0-9a-f]+/.exec(await lab.monitor('symbol lab_main'))![0].slice(2);
  await drop('System.map', text('no map at all\n'));
  await expect(page.getByText('System.map gives no symbols: line 1 is not "address type name": "no map at all".')).toBeVisible();
  await drop('vmlinux', memlab.subarray(0, memlab.length / 2));
  await expect(page.getByText(/^vmlinux gives no symbols: .* is cut short/)).toBeVisible();
  await drop('System.map', text(`${main} T named_by_the_map\n`));
  await expect(page.getByText('1 symbol from System.map.')).toBeVisible();
  expect(await lab.monitor('x /1i lab_main')).toMatch(/^named_by_the_map:/);
  await page.getByRole('tab', { name: 'Page walk' }).click();
  await page.getByRole('tabpanel', { name: 'Page walk' }).getByRole('textbox').first().fill('lab_main+4');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('tabpanel', { name: 'Page walk' })).toContainText('named_by_the_map+0x4');
  expect(lab.errors).toEqual([]);
});

test('a kernel dropped on the page is offered, boots, and is remembered by its name', async ({ lab, page }) => {
  await lab.open();
  const data = await page.evaluateHandle(
    (bytes) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(bytes)], 'mine.elf'));
      return transfer;
    },
    [...memlab],
  );
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: data });
  await expect(page.getByText('Drop a kernel, a kernel and its initrd, a snapshot, a replay, or symbols')).toBeVisible();
  await page.dispatchEvent('body', 'drop', { dataTransfer: data });
  await expect(picker(lab).getByRole('radio', { name: /mine\.elf/ })).toBeChecked();
  await picker(lab).getByLabel('memslot-index').selectOption('array');
  await picker(lab).getByLabel('-accel', { exact: true }).selectOption('interp');
  await picker(lab).getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(page).toHaveTitle(/^mine\.elf, running/);
  await lab.consoleEndsWith(/lab> $/);
  expect(await lab.monitor('info jit')).toContain('only available with accel=jit');

  await page.reload();
  await expect(page).toHaveTitle(/^memlab, running/);
  await openPicker(lab);
  await picker(lab)
    .getByRole('radio', { name: /mine\.elf/ })
    .check();
  await expect(picker(lab).getByLabel('memslot-index')).toHaveValue('array');
  await expect(picker(lab).getByLabel('-accel', { exact: true })).toHaveValue('interp');
  await picker(lab).getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(page).toHaveTitle(/^mine\.elf, running/);
  expect(lab.errors).toEqual([]);
});

test('three files are one too many, and a kernel and an initrd are distinguished by their contents', async ({ lab, page }) => {
  await lab.open();
  await openPicker(lab);
  const file = (name: string, buffer: Buffer) => ({ name, mimeType: 'application/octet-stream', buffer });
  const input = page.getByLabel('Kernel, or kernel and initrd');
  await input.setInputFiles([file('a', memlab), file('b', memlab), file('c', memlab)]);
  await expect(picker(lab).getByRole('alert')).toContainText('3 files');
  await input.setInputFiles([file('archive', Buffer.from(`070701${'0'.repeat(104)}`)), file('kernel.elf', memlab)]);
  await expect(picker(lab).getByRole('radio', { name: /kernel\.elf\s+with\s+archive/ })).toBeChecked();
});
