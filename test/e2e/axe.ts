/** What the stories about access share. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { LabPage } from './page';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

interface Violation {
  id: string;
  nodes: { html: string; failureSummary: string }[];
}

/** What axe (WCAG 2.0 A to 2.2 AA and best practice) finds in the page as it is. */
export async function violations(lab: LabPage): Promise<string[]> {
  await lab.page.evaluate(axeSource);
  const found = await lab.page.evaluate(
    async (tags) =>
      (await (window as unknown as { axe: { run(options: object): Promise<{ violations: Violation[] }> } }).axe.run({ runOnly: tags }))
        .violations,
    TAGS,
  );
  return found.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`));
}

export const noSidewaysScroll = (lab: LabPage): Promise<boolean> =>
  lab.page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
