/** A small part of `npm run soak -- links`: mutated state and replay links and files are refused with a reason, or are a machine that runs. */
import { expect, it } from 'vitest';
import { openMutated } from '../soak/shared-links';

it('mutated states and replays are refused with a reason, or run', async () => {
  const told = await openMutated(200, 7);
  expect(told).toMatch(/^200 state and replay links and files, 1\d\d refused with a reason, \d+ opened$/);
});
