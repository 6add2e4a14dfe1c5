/** What an idle guest costs: processor time of all of the browser's processes while the guest waits at its prompt. */
import { verdict } from '../statistics';
import type { Tab } from './browser';
import { browserCpu } from './processes';

/** Percent of one core, at most. */
const TARGET = 3;
const SETTLE_MS = 10_000;
const MEASURE_MS = 30_000;

const GUESTS: readonly { name: string; address: string; prompt: string }[] = [
  { name: 'memlab', address: '', prompt: 'lab> ' },
  { name: 'Linux', address: '?guest=linux', prompt: 'guest# ' },
];

/** Percent of one core by guest. */
export async function measureIdle(open: (address: string, waitFor: string) => Promise<Tab>): Promise<Record<string, number>> {
  const shares: Record<string, number> = {};
  for (const { name, address, prompt } of GUESTS) {
    const tab = await open(address, prompt);
    await tab.page.waitForTimeout(SETTLE_MS);
    const [cpu, start] = [browserCpu(), performance.now()];
    // The page is left alone during the measurement.
    await new Promise((resolve) => setTimeout(resolve, MEASURE_MS));
    shares[name] = (100 * (browserCpu() - cpu)) / (performance.now() - start);
    await tab.close();
  }
  return shares;
}

export const reportIdle = (shares: Record<string, number>): boolean =>
  Object.entries(shares)
    .map(([name, share]) => verdict(share < TARGET, `${name} idle: ${share.toFixed(1)} % of a core, less than ${TARGET} %`))
    .every((each) => each);
