/** The guides in the order of the list. */
import { compiledGuide } from './compiled';
import { exchangeGuide } from './exchange';
import { flagsGuide } from './flags';
import { indexGuide } from './index-or-tree';
import { kvmGuide } from './kvm';
import { moveGuide } from './move';
import { swapsGuide } from './swaps';
import type { Guide } from './types';
import { zapGuide } from './zap';

export const GUIDES: readonly Guide[] = [moveGuide, exchangeGuide, swapsGuide, flagsGuide, indexGuide, zapGuide, compiledGuide, kvmGuide];
