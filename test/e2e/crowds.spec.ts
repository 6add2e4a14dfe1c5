/** Many slots and long names: nothing overlaps, kinds stay distinguishable, and text that does not fit can be read in full elsewhere. */
import { noSidewaysScroll } from './axe';
import { textTroubles } from './overlaps';
import { expect, type LabPage, plugTwoDimms, test } from './page';

const called = (head: string, length: number): string => `${head}-${'of-a-very-long-name-'.repeat(8)}`.slice(0, length - 4).concat('-end');
const DIMM = called('dimm', 110);
const MEMDEV = called('memory', 110);
/** As long as a layout's name may be. */
const LAYOUT = called('layout', 64);
const GUEST = `${called('guest', 110)}.elf`;

async function calm(lab: LabPage, state: string): Promise<void> {
  await expect.poll(() => textTroubles(lab), { message: state }).toEqual([]);
  expect(await noSidewaysScroll(lab), state).toBe(true);
}

test('names of 110 characters overlap nothing, push nothing out of view, and can be read in full', async ({ lab, page }) => {
  test.setTimeout(120_000);
  await page.setViewportSize({ width: 1280, height: 720 });
  await lab.open();
  const panes = page.getByRole('navigation', { name: 'Panes' });
  const inspector = page.getByRole('region', { name: 'Inspector' });
  const changes = page.getByRole('region', { name: 'Change set and snapshots' });
  const map = page.getByRole('application', { name: 'Map of guest-physical memory' });
  await page.getByRole('button', { name: /choose another guest/ }).click();
  await page.getByLabel('Kernel, or kernel and initrd').setInputFiles({ name: GUEST, mimeType: '', buffer: await memlab(lab) });
  await calm(lab, 'the picker');
  await expect(page.getByRole('dialog').getByText(GUEST)).toBeInViewport({ ratio: 1 });
  await page.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(page).toHaveTitle(new RegExp(GUEST));
  await lab.consoleEndsWith(/lab> $/);

  await lab.monitor(`object_add memory-backend-ram,id=${MEMDEV},size=64M`);
  await lab.monitor(`device_add pc-dimm,id=${DIMM},memdev=${MEMDEV}`);
  await lab.consoleShows(/DIMM slot 0/);
  await lab.monitor(`layout_save ${LAYOUT}`);
  const { id } = await lab.slot(DIMM);
  for (const line of ['changeset_begin', `memslot_move ${id} 0`, `memslot_flags ${id} -l`]) await lab.monitor(line);
  await map.focus();
  await page.keyboard.press('End');
  await expect(inspector.getByText(`${id} ${DIMM} (${MEMDEV})`)).toBeInViewport({ ratio: 1 });
  await expect(changes.getByText(`${id} ${DIMM} (${MEMDEV})`).first()).toBeInViewport({ ratio: 1 });
  await calm(lab, 'map');
  await expect(page.getByRole('button', { name: 'Keys', exact: true }).last()).toBeInViewport({ ratio: 1 });
  await page.getByRole('button', { name: 'Table' }).click();
  await expect(page.getByRole('row', { selected: true }).getByText('0x10000000')).toBeInViewport({ ratio: 1 });
  await expect(page.getByRole('row', { selected: true }).getByTitle(DIMM)).toBeVisible();
  await calm(lab, 'table');
  await page.getByRole('button', { name: 'Map', exact: true }).click();
  await page.getByRole('tab', { name: 'DIMMs' }).click();
  await expect(inspector.getByRole('button', { name: `Unplug ${DIMM}` })).toBeInViewport({ ratio: 1 });
  await calm(lab, 'DIMMs');
  await page.getByRole('tab', { name: 'Snapshots' }).click();
  await expect(changes.getByRole('button', { name: `Load layout ${LAYOUT}` })).toBeInViewport({ ratio: 1 });
  await calm(lab, 'snapshots');
  await map.focus();
  await page.keyboard.press('ContextMenu');
  await expect(page.getByRole('menu')).toBeVisible();
  await calm(lab, 'the menu of the map');
  await page.keyboard.press('Escape');
  await page.setViewportSize({ width: 1440, height: 900 });
  await calm(lab, 'a larger window');
  for (const [size, names] of [
    [{ width: 844, height: 390 }, ['Map', 'Changes', 'History', 'Inspect', 'More']],
    [{ width: 390, height: 844 }, ['Map', 'Changes', 'History', 'More']],
  ] as const) {
    await page.setViewportSize(size);
    for (const name of names) {
      await panes.getByRole('button', { name }).click();
      await calm(lab, `${size.width}x${size.height}, ${name}`);
    }
  }
  expect(lab.errors).toEqual([]);
});

async function memlab({ page }: LabPage): Promise<Buffer> {
  return (await page.request.get('./guests/memlab.elf')).body();
}

/** Lines at the monitor, each of which prints nothing or a commit's line. */
async function say(lab: LabPage, lines: string[]): Promise<void> {
  const printed = await lab.page.evaluate(async (all) => {
    const found: string[] = [];
    for (const line of all) found.push(await window.lab.monitor(line));
    return found;
  }, lines);
  expect(printed.filter((text) => /error/i.test(text))).toEqual([]);
}

/** Counts the pixels at the crowded right end of three lanes that have roughly the colours of each kind. */
const fills = (lab: LabPage): Promise<Record<'overview' | 'staged' | 'guest', Record<string, number>>> =>
  lab.page.evaluate((NEAR) => {
    const canvas = document.querySelector<HTMLCanvasElement>('.stage canvas')!;
    const scale = canvas.width / canvas.clientWidth;
    const style = getComputedStyle(document.documentElement);
    const colour = (token: string): number[] => {
      const value = style.getPropertyValue(`--${token}`);
      const hex = (/,\s*#([0-9a-f]{6})/i.exec(value) ?? /#([0-9a-f]{6})/i.exec(value))![1]!;
      return [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
    };
    const kinds = { ram: ['ram', 'ram-mark'], dimm: ['dimm', 'dimm-mark'], ro: ['ro', 'ro-mark'], staged: ['staged'], bad: ['bad'] };
    const colours = Object.entries(kinds).flatMap(([kind, tokens]) => tokens.map((token) => [kind, colour(token)] as const));
    const count = (top: number, height: number): Record<string, number> => {
      const { data } = canvas
        .getContext('2d')!
        .getImageData(canvas.width * 0.7, top * scale, canvas.width * 0.3 - 14 * scale, height * scale);
      const found: Record<string, number> = {};
      for (let i = 0; i < data.length; i += 4) {
        // Edges are drawn over fills, so no pixel has exactly the token's colour.
        let [nearest, least] = ['', NEAR];
        for (const [kind, parts] of colours) {
          const far = Math.hypot(...parts.map((part, at) => part - data[i + at]!));
          if (far < least) [nearest, least] = [kind, far];
        }
        if (nearest) found[nearest] = (found[nearest] ?? 0) + 1;
      }
      return found;
    };
    return { overview: count(8, 20), staged: count(60, 22), guest: count(114, 60) };
  }, 40);

test('hundreds of narrow slots of every kind side by side: kinds stay distinguishable, entries are counted by kind', async ({
  lab,
  page,
}) => {
  test.setTimeout(120_000);
  await lab.open();
  const PIECES = 70;
  /** Of the splits, each of which is a commit. */
  const FEW = 20;
  const BASE = 0x1_0000_0000;
  await plugTwoDimms(lab);
  const [dimm] = [await lab.slot('dimm1')];
  const at = (index: number, kind: number): string => `0x${(BASE + (3 * index + kind) * 4096).toString(16)}`;
  // The DIMM in pieces of one page, with bare memory and read-only bare memory between them.
  const pieces = Array.from({ length: PIECES }, (_, i) => i);
  const part = (i: number): number => (i ? 999 + i : dimm.id);
  await say(
    lab,
    pieces.slice(0, FEW).map((i) => `memslot_split ${part(i)} 0x${(dimm.gpa + (i + 1) * 4096).toString(16)} ${part(i + 1)}`),
  );
  const moves = pieces.slice(0, FEW).map((i) => `memslot_move ${part(i)} ${at(i, 0)}`);
  const adds = pieces.flatMap((i) => [`memslot_add ${2000 + i} ${at(i, 1)} 4k`, `memslot_add ${3000 + i} ${at(i, 2)} 4k -r`]);
  await say(lab, ['changeset_begin', ...moves, ...adds]);
  const entries = moves.length + adds.length;
  await expect(page.getByText(`${entries} of ${entries} fit`)).toBeVisible();
  await expect.poll(async () => (await fills(lab)).staged.staged ?? 0, { message: 'the entries, in their lane' }).toBeGreaterThan(0);
  await lab.monitor('changeset_commit');
  await page.getByRole('button', { name: 'Fit' }).click();
  for (const lane of ['overview', 'guest'] as const) {
    const found = (await fills(lab))[lane];
    for (const kind of ['ram', 'dimm', 'ro']) expect(found[kind] ?? 0, `${kind} in ${lane}: ${JSON.stringify(found)}`).toBeGreaterThan(0);
  }
  await calm(lab, 'a crowd of kinds');

  // Entries in other places than their slots, one of them refused.
  const away = pieces.map((i) => `memslot_move ${2000 + i} 0x${(BASE + 2 ** 26 + i * 8192).toString(16)}`);
  await say(lab, ['changeset_begin', ...away, `memslot_move 3000 ${at(0, 0)}`]);
  await expect(page.getByText(`1 of ${PIECES + 1} refused`)).toBeVisible();
  const staged = (await fills(lab)).staged;
  expect(staged.staged ?? 0, JSON.stringify(staged)).toBeGreaterThan(0);
  expect(staged.bad ?? 0, JSON.stringify(staged)).toBeGreaterThan(0);
  await calm(lab, 'a crowd of entries');
  expect(lab.errors).toEqual([]);
});

test('the phases of a stepped commit wrap when they must, and cover nothing', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  const [first, second] = [await lab.slot('dimm1'), await lab.slot('dimm2')];
  const moves = [`memslot_move ${first.id} 0x${second.gpa.toString(16)}`, `memslot_move ${second.id} 0x${first.gpa.toString(16)}`];
  for (const line of ['changeset_begin', ...moves, 'changeset_commit -s']) await lab.monitor(line);
  const phases = page.getByRole('list', { name: 'Phases of the commit' });
  for (let step = 0; step < 3; step++) {
    for (const size of [
      { width: 1280, height: 720 },
      { width: 1024, height: 768 },
      { width: 720, height: 900 },
      { width: 844, height: 390 },
      { width: 390, height: 844 },
      { width: 320, height: 640 },
    ]) {
      await page.setViewportSize(size);
      const where = `step ${step}, ${size.width}x${size.height}`;
      for (const phase of await phases.getByRole('listitem').all()) await expect(phase, where).toBeInViewport({ ratio: 1 });
      await calm(lab, where);
      // The canvas ends above the content below the map.
      const [pane, canvas] = [await page.locator('#map').boundingBox(), await page.locator('.stage canvas').boundingBox()];
      expect(canvas!.y + canvas!.height, where).toBeLessThanOrEqual(pane!.y + pane!.height + 1);
    }
    await lab.monitor('changeset_step');
  }
});
