/** Helpers that the accessibility stories share. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { LabPage } from './page';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** The rules that check colours. */
const OF_COLOURS = ['color-contrast', 'link-in-text-block'];

interface Violation {
  id: string;
  nodes: { html: string; failureSummary: string }[];
}

/** What axe (WCAG 2.0 A to 2.2 AA and best practice, or these rules alone) finds in the page as it is. */
export async function violations(lab: LabPage, rules?: readonly string[]): Promise<string[]> {
  await lab.page.evaluate(axeSource);
  // During a transition between themes, colours belong to neither. Ended here, not awaited: one in contents that are not rendered never ends.
  await lab.page.evaluate(() => {
    for (const animation of document.getAnimations()) {
      if (Number.isFinite(animation.effect?.getComputedTiming().endTime)) animation.finish();
    }
  });
  const found = await lab.page.evaluate(
    async (runOnly) =>
      (await (window as unknown as { axe: { run(options: object): Promise<{ violations: Violation[] }> } }).axe.run({ runOnly }))
        .violations,
    rules ? { type: 'rule', values: rules } : { type: 'tag', values: TAGS },
  );
  return found.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`));
}

/** The page as it is, dark and then light; only colours differ. */
export async function violationsInBothThemes(lab: LabPage): Promise<string[]> {
  await lab.page.emulateMedia({ colorScheme: 'light' });
  const light = await violations(lab, OF_COLOURS);
  await lab.page.emulateMedia({ colorScheme: 'dark' });
  return [...light.map((found) => `light: ${found}`), ...(await violations(lab))];
}

export const noSidewaysScroll = (lab: LabPage): Promise<boolean> =>
  lab.page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
