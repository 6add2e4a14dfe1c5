/** The guides in the order of the list. */
import { exchangeGuide } from './exchange';
import { moveGuide } from './move';
import type { Guide } from './types';

export const GUIDES: readonly Guide[] = [moveGuide, exchangeGuide];
