/** Where the focus is after each action by keyboard: on the map, on the next entry or still on a control that can be used; never lost, never on a greyed button. */
import { expect, type LabPage, plugTwoDimms, test } from './page';

const map = (lab: LabPage) => lab.page.getByRole('application', { name: 'Map of guest-physical memory' });
const changes = (lab: LabPage) => lab.page.getByRole('region', { name: 'Change set and snapshots' });
const inspector = (lab: LabPage) => lab.page.getByRole('region', { name: 'Inspector' });

/** The focused control in words; '' if it is nowhere, hidden or greyed. */
const focused = (lab: LabPage): Promise<string> =>
  lab.page.evaluate(() => {
    const active = document.activeElement;
    if (!active || active === document.body || !active.checkVisibility()) return '';
    if (active.matches(':disabled, [aria-disabled="true"]')) return '';
    const label = active.getAttribute('aria-label') ?? (active as HTMLInputElement).labels?.[0]?.textContent ?? active.textContent ?? '';
    return label.replace(/\s+/g, ' ').trim();
  });
const staysOn = (lab: LabPage, words: RegExp): Promise<void> => expect.poll(() => focused(lab)).toMatch(words);

const MAP = /^Map of guest-physical memory$/;

/** Stages that a slot logs its dirty pages, and leaves the focus in the inspector. */
async function stageFlag(lab: LabPage, gpa: number): Promise<void> {
  await map(lab).focus();
  await lab.page.keyboard.press('/');
  await lab.page.keyboard.type(`0x${gpa.toString(16)}`);
  await lab.page.keyboard.press('Enter');
  await expect(map(lab)).toBeFocused();
  await inspector(lab).getByRole('tab', { name: /^Slot/ }).press('Enter');
  await inspector(lab).getByLabel('Log dirty').press('Space');
  await expect(changes(lab).getByText('1 of 1 fits')).toBeVisible();
}

test('change set and history: the focus goes to the map, or stays where there is more to do', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  const { gpa } = await lab.slot('dimm1');
  const nothing = changes(lab).getByText('Nothing staged');
  const history = page.getByRole('region', { name: 'History' });

  for (const name of [/^Commit/, 'Legacy', 'Abort']) {
    await stageFlag(lab, gpa);
    await changes(lab).getByRole('button', { name }).press('Enter');
    await expect(nothing).toBeVisible();
    await staysOn(lab, MAP);
  }
  // Ctrl Enter, from each button that it greys and from the list that it empties.
  for (const at of [changes(lab).getByRole('button', { name: 'Preview' }), changes(lab).getByRole('listitem')]) {
    await stageFlag(lab, gpa);
    await at.press('Control+Enter');
    await expect(nothing).toBeVisible();
    await staysOn(lab, MAP);
  }
  await stageFlag(lab, gpa);
  await changes(lab).getByRole('button', { name: 'Step' }).press('Enter');
  await staysOn(lab, /^Next step/);
  await changes(lab).getByRole('button', { name: 'Run to end' }).press('Enter');
  await expect(nothing).toBeVisible();
  await staysOn(lab, MAP);

  // Undo and redo stay until they have nothing left to do.
  const [undo, redo] = [history.getByRole('button', { name: 'Undo' }), history.getByRole('button', { name: 'Redo' })];
  const at = async (): Promise<number> => history.getByRole('listitem').evaluateAll((all) => all.findIndex((item) => item.ariaCurrent));
  await redo.focus();
  await page.keyboard.press('Control+z');
  await expect(redo).toBeEnabled();
  await redo.press('Enter');
  await expect(redo).toBeDisabled();
  await staysOn(lab, MAP);
  for (let left = await at(); left > 0; left--) {
    await undo.press('Enter');
    await expect.poll(at).toBe(left - 1);
    await staysOn(lab, left > 1 ? /^Undo$/ : MAP);
  }
  // A greyed button that nobody has used keeps the focus that it is given: its reason is read there.
  await undo.focus();
  await lab.monitor('memslot_flags 0 -l');
  await lab.monitor('undo');
  await expect(undo).toHaveAttribute('title', 'Nothing to undo');
  await expect(undo).toBeFocused();

  await page.getByRole('button', { name: 'Guides', exact: true }).press('Enter');
  await page.getByRole('button', { name: /^Exchange two regions/ }).press('Enter');
  await staysOn(lab, /^Exchange two regions$/);
  await page.getByRole('button', { name: 'All guides' }).press('Enter');
  await staysOn(lab, /^Guides$/);

  const toggle = page.getByRole('banner').getByRole('button', { name: /^(?:Stop|Run)$/ });
  await toggle.press('Enter');
  await staysOn(lab, /^Run$/);
  await page.keyboard.press('Enter');
  await staysOn(lab, /^Stop$/);
});

test('inspector, DIMMs and snapshots: the focus is never lost', async ({ lab, page }) => {
  await lab.open();
  const button = (name: string | RegExp) => inspector(lab).getByRole('button', { name });
  const tab = (name: RegExp) => inspector(lab).getByRole('tab', { name });

  await tab(/^DIMMs/).press('Enter');
  for (const n of [1, 2]) {
    await button('Plug a DIMM').press('Enter');
    await lab.consoleShows(new RegExp(`memory hotplug: DIMM slot ${n - 1} at`));
    await expect(button(`Unplug dimm${n}`)).toBeEnabled();
    await staysOn(lab, /^Plug a DIMM$/);
  }
  await button('Rehost dimm1').press('Enter');
  await staysOn(lab, /^Rehost dimm1$/);
  await button('Move dimm2').press('Enter');
  await staysOn(lab, /^New address of dimm2/);
  await page.keyboard.type('0x20000000');
  await page.keyboard.press('Enter');
  await lab.consoleShows(/at 0x20000000, 64 MiB/);
  await staysOn(lab, MAP);
  await button('Unplug dimm1').press('Enter');
  await expect(inspector(lab).getByRole('row')).toHaveCount(2);
  await staysOn(lab, /^dimm2$/);
  await button('Unplug dimm2').press('Enter');
  await expect(inspector(lab).getByRole('row')).toHaveCount(0);
  await staysOn(lab, MAP);

  // Each action on a slot.
  await page.keyboard.press('Home');
  await tab(/^Slot 0/).press('Enter');
  for (const [label, text] of [
    ['Address', '0x40000000'],
    ['Size', '512K'],
  ] as const) {
    await inspector(lab).getByRole('textbox', { name: label, exact: true }).fill(text);
    await page.keyboard.press('Enter');
    await expect(changes(lab).getByRole('listitem')).toHaveCount(1);
    await staysOn(lab, new RegExp(`^${label}$`));
    await changes(lab).getByRole('button', { name: 'Abort' }).press('Enter');
    await staysOn(lab, MAP);
  }
  await button('Move').press('Enter');
  await expect(page.getByRole('status').filter({ hasText: /^Move 0 to/ })).toBeVisible();
  await staysOn(lab, MAP);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Escape');
  await staysOn(lab, MAP);
  await button('Split').press('Enter');
  await staysOn(lab, /^Split at$/);
  await page.keyboard.press('Enter');
  await expect(changes(lab).getByText('split', { exact: true })).toBeVisible();
  await staysOn(lab, MAP);
  await changes(lab).getByRole('button', { name: 'Drop entry 1' }).press('Enter');
  await staysOn(lab, MAP);
  await button('Add').press('Enter');
  await staysOn(lab, /^Host memory$/);
  await button(/^Stage slot/).press('Enter');
  await expect(changes(lab).getByText('create', { exact: true })).toBeVisible();
  await staysOn(lab, MAP);
  await button('Add').press('Enter');
  await button('Cancel').press('Enter');
  await staysOn(lab, MAP);
  await button('Delete').press('Enter');
  await expect(changes(lab).getByText('delete', { exact: true })).toBeVisible();
  await staysOn(lab, /^Delete$/);
  await changes(lab).getByRole('button', { name: 'Drop entry 1' }).press('Enter');
  await staysOn(lab, /^(?:Drop entry 1|1 delete)/);
  await lab.monitor('changeset_abort');

  for (const [index, kind] of ['Layout', 'Machine'].entries()) {
    await map(lab).press('Control+s');
    await staysOn(lab, /^Name$/);
    await changes(lab).getByRole('button', { name: kind, exact: true }).press('Enter');
    await changes(lab).getByRole('button', { name: 'Save', exact: true }).press('Enter');
    await expect(changes(lab).getByRole('button', { name: /^Delete/ })).toHaveCount(index + 1);
    await staysOn(lab, MAP);
  }
  await changes(lab)
    .getByRole('button', { name: /^Load layout/ })
    .press('Enter');
  await staysOn(lab, /^Load layout/);
  await changes(lab)
    .getByRole('button', { name: /^Delete machine/ })
    .press('Enter');
  await expect(changes(lab).getByRole('button', { name: /^Delete/ })).toHaveCount(1);
  await staysOn(lab, /^Load layout/);
  await changes(lab)
    .getByRole('button', { name: /^Delete layout/ })
    .press('Enter');
  await expect(changes(lab).getByText('No snapshots yet')).toBeVisible();
  await staysOn(lab, MAP);
});

test.describe('without keys', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

  test('on a phone Move leads to the address, which the phone’s keyboard types', async ({ lab, page }) => {
    await lab.open();
    await plugTwoDimms(lab);
    await page.getByRole('button', { name: /dimm2/ }).tap();
    await inspector(lab).getByRole('button', { name: 'Move', exact: true }).tap();
    await staysOn(lab, /^Address$/);
    await page.keyboard.type('0x20000000');
    await page.keyboard.press('Enter');
    await page.getByRole('navigation', { name: 'Panes' }).getByRole('button', { name: 'Changes' }).tap();
    await expect(changes(lab).getByText('1 of 1 fits')).toBeVisible();
    await changes(lab)
      .getByRole('button', { name: /^Commit/ })
      .tap();
    await expect.poll(async () => (await lab.slot('dimm2')).gpa).toBe(0x20000000);
  });
});
