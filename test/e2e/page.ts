/** What every story needs: the page with memlab at its prompt, typing into its terminals, and errors in the browser's console. */
import { test as base, expect, type Page } from '@playwright/test';

export const MEMLAB_PROMPT = /lab> $/;

export class LabPage {
  readonly page: Page;
  /** Errors in the browser's console and uncaught exceptions. */
  readonly errors: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
    page.on('pageerror', (error) => this.errors.push(String(error)));
  }

  async open(path = ''): Promise<void> {
    await this.page.goto(path || './');
    await this.consoleEndsWith(MEMLAB_PROMPT);
  }

  consoleText(): Promise<string> {
    return this.page.evaluate(() => window.lab.console.text());
  }

  /** The console's text loses trailing blanks, so the expected prompt has none either. */
  async consoleEndsWith(pattern: RegExp): Promise<void> {
    await expect.poll(async () => `${await this.consoleText()} `, { timeout: 30_000 }).toMatch(pattern);
  }

  async consoleShows(pattern: RegExp): Promise<void> {
    await expect.poll(() => this.consoleText(), { timeout: 30_000 }).toMatch(pattern);
  }

  /** Types into the guest's console by keys, as a person does. */
  async typeConsole(text: string): Promise<void> {
    await this.page.getByRole('textbox', { name: 'Guest console' }).focus();
    await this.page.keyboard.type(text, { delay: 5 });
  }

  /** A line in the guest's shell, and the prompt after it. */
  async shell(line: string): Promise<string> {
    const before = (await this.consoleText()).length;
    await this.typeConsole(`${line}\r`);
    await expect.poll(async () => `${(await this.consoleText()).slice(before)} `, { timeout: 30_000 }).toMatch(/\n[\s\S]*lab> $/);
    return (await this.consoleText()).slice(before);
  }

  /** Types a line into the cleared monitor and returns what it printed (its last rows, where that is long) when the prompt is back. */
  async typeMonitor(line: string): Promise<string> {
    await this.page.getByRole('textbox', { name: 'Monitor' }).focus();
    await this.page.keyboard.press('Control+l');
    await expect.poll(() => this.monitorText()).toBe('(lab)');
    await this.page.keyboard.type(`${line}\r`, { delay: 5 });
    await expect.poll(() => this.monitorText(), { message: `the monitor's prompt after ${line}` }).toMatch(/\n\(lab\)$/);
    const rows = (await this.monitorText()).split('\n');
    return rows.slice(rows[0]?.startsWith('(lab)') ? 1 : 0, -1).join('\n');
  }

  /** Rows of the monitor's terminal on screen, empty ones at the end left out. */
  async monitorText(): Promise<string> {
    return this.page.locator('#panel-monitor .xterm-rows').evaluate((rows) =>
      [...rows.children]
        .map((row) => (row.textContent ?? '').replace(/\u00a0/g, ' ').trimEnd())
        .join('\n')
        .trimEnd(),
    );
  }

  /** The monitor's output, through window.lab. */
  monitor(line: string): Promise<string> {
    return this.page.evaluate((text) => window.lab.monitor(text), line);
  }

  /** Slots as every browser shows them, without host addresses, which differ between machines. */
  async slots(): Promise<Slot[]> {
    const { memslots } = (await this.page.evaluate(() => window.lab.layout())) as Layout;
    return memslots.map(({ slot, guestPhysAddr: gpa, memorySize: size, flags, name }) => ({ id: slot, gpa, size, flags, name }));
  }

  async slot(name: string): Promise<Slot> {
    const slots = await this.slots();
    const found = slots.find((slot) => slot.name.split(' ')[0] === name);
    if (!found) throw new Error(`there is no slot ${name}: ${JSON.stringify(slots)}`);
    return found;
  }
}

export interface Slot {
  id: number;
  gpa: number;
  size: number;
  flags: number;
  name: string;
}

interface Layout {
  memslots: { slot: number; guestPhysAddr: number; memorySize: number; flags: number; name: string }[];
}

/** Plugs two 64 MiB DIMMs and waits until the guest has seen them. `say` sends a line to the monitor; typing them as in QEMU takes seconds. */
export async function plugTwoDimms(lab: LabPage, say = (line: string) => lab.monitor(line)): Promise<void> {
  for (const n of [1, 2]) {
    await say(`object_add memory-backend-ram,id=mem${n},size=64M`);
    await say(`device_add pc-dimm,id=dimm${n},memdev=mem${n}`);
    await lab.consoleShows(new RegExp(`memory hotplug: DIMM slot ${n - 1} at 0x[0-9a-f]+, 64 MiB`));
  }
}

/**
 * Keeps the guest busy for up to a billion instructions, so that their replay takes a while. They read more pages than the TLB holds, which the JIT
 * can hardly speed up.
 */
export async function recordLong(lab: LabPage): Promise<void> {
  await lab.typeConsole('sweep 0x1000000 160M\r');
  // On a busy machine fewer are enough: what was slow to record is slow to replay.
  const since = Date.now();
  const longEnough = async () => /count = \d{10}/.test(await lab.monitor('info replay')) || Date.now() - since > 20_000;
  await expect.poll(longEnough, { timeout: 60_000 }).toBe(true);
}

/** Starts to replay a long recording on this page. */
export async function openLongReplay(lab: LabPage): Promise<void> {
  await recordLong(lab);
  const link = await lab.page.evaluate(() => window.lab.share('replay'));
  await lab.page.goto('about:blank');
  await lab.page.goto(link);
  await expect(lab.page.getByText('digest checked at the end')).toBeVisible();
}

export const test = base.extend<{ lab: LabPage }>({
  lab: async ({ page }, use) => {
    // Not a first visit: first-steps.spec.ts covers the line for newcomers.
    await page.addInitScript(() => {
      try {
        localStorage.setItem('memslot-lab first step', 'done');
      } catch {
        // Storage is blocked in some stories.
      }
    });
    await use(new LabPage(page));
  },
});

export { expect };
