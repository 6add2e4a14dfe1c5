/** A worker that ends silently, one that hangs, and one that is only busy. */
import { expect, type LabPage, test } from './page';

/** Keeps the worker busy for `ms`, so that it handles no message; undefined: forever. */
const occupy = async (lab: LabPage, ms?: number): Promise<void> => {
  await lab.page.workers()[0]?.evaluate((length) => {
    setTimeout(() => {
      const end = performance.now() + (length ?? Number.POSITIVE_INFINITY);
      while (performance.now() < end);
    });
  }, ms);
};

/** What was saved before is still there and can be loaded. */
async function findsWhatWasSaved(lab: LabPage): Promise<void> {
  await lab.consoleEndsWith(/lab> $/);
  await lab.page.getByRole('button', { name: 'Load machine kept' }).click();
  await expect(lab.page.getByText('Loaded kept.')).toBeVisible();
  expect(await lab.shell('peek 0x2000000')).toContain('4321');
  expect(lab.errors).toEqual([]);
}

test('a worker that is killed silently is reported; a restart finds everything that was saved', async ({ lab, page }) => {
  await lab.open();
  await lab.shell('poke 0x2000000 0x4321');
  await lab.monitor('savevm kept');
  await page.workers()[0]?.evaluate(() => self.close());
  const told = page.getByRole('alert').filter({ hasText: 'The worker stopped.' });
  await expect(told).toContainText('It ended without an error. Saved layouts and snapshots are safe.');
  await expect(told).toContainText('memlab again');
  // No request waits for it: a command is refused at once.
  expect(await lab.page.evaluate(() => window.lab.monitor('info status').catch(String))).toContain('The worker has stopped.');
  await told.getByRole('button', { name: 'Restart' }).click();
  await expect(told).toHaveCount(0);
  await findsWhatWasSaved(lab);
});

test('a worker that hangs is reported as silent, not as dead, and a restart replaces it', async ({ lab, page }) => {
  await lab.open();
  await lab.shell('poke 0x2000000 0x4321');
  await lab.monitor('savevm kept');
  await occupy(lab);
  const asked = page.evaluate(() => window.lab.monitor('info status').catch(String));
  const told = page.getByRole('alert').filter({ hasText: 'The worker does not answer.' });
  await expect(told).toContainText('Saved layouts and snapshots are safe.');
  await expect(page.getByText(/Silent for \d+ s, asked: info status/)).toBeVisible();
  await page.getByRole('button', { name: 'Restart' }).click();
  await expect(told).toHaveCount(0);
  expect(await asked).toContain('The worker has stopped.');
  await findsWhatWasSaved(lab);
});

test('if a worker is busy for seconds the page offers to wait, and the worker then continues normally', async ({ lab, page }) => {
  await lab.open();
  await lab.shell('poke 0x2000000 0x4321');
  await occupy(lab, 9000);
  const told = page.getByRole('alert').filter({ hasText: 'The worker does not answer.' });
  await expect(told).toContainText('if it is busy, waiting loses nothing');
  await expect(told).toHaveCount(0);
  expect(await lab.shell('peek 0x2000000')).toContain('4321');
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('a worker that is killed while its guest starts is reported', async ({ page, lab }) => {
  // It never receives the message to boot.
  await page.addInitScript(() => {
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (...message: unknown[]) {
      const held = (message[0] as { type?: string }).type === 'boot' && !('released' in window);
      if (!held) Reflect.apply(post, this, message);
    };
  });
  const born = page.waitForEvent('worker');
  await page.goto('./');
  const worker = await born;
  // Only once it holds its lock: before that, silence is the only sign of its end.
  const waitedFor = () => page.evaluate(async () => (await navigator.locks.query()).pending?.length);
  await expect.poll(waitedFor).toBe(1);
  await worker.evaluate(() => self.close());
  await expect(page.getByRole('alert')).toContainText('The machine did not start. It ended without an error.');
  await page.evaluate(() => Object.assign(window, { released: true }));
  await page.getByRole('button', { name: 'Restart' }).click();
  await lab.consoleEndsWith(/lab> $/);
});
