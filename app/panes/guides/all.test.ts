import { expect, it } from 'vitest';
import { GUIDES } from './all';
import { FIRST_GUIDE, GUIDE_IDS } from './types';

it('the page knows names and order of the guides before they are there, and how long the first one is', () => {
  expect(GUIDES.map(({ id }) => id)).toEqual([...GUIDE_IDS]);
  expect(GUIDES[0]).toMatchObject({ id: FIRST_GUIDE.id, steps: { length: FIRST_GUIDE.steps } });
});
