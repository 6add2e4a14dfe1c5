/** Texts for the tier that runs the code around rip. */
import type { TierView } from '../../../engine/worker/protocol';
import { count, plural } from '../../shared/format';

/** Why the interpreter runs it: a few words, and a sentence. */
export function reason(tier: Extract<TierView, { tier: 'interpreter' }>): { short: string; long: string } {
  switch (tier.why) {
    case 'accel':
      return { short: '-accel interp', long: 'The machine was started with -accel interp.' };
    case 'refused':
      return { short: 'compiling forbidden', long: `Run-time compilation is forbidden here: ${tier.text}` };
    case 'mode':
      return { short: '16- or 32-bit code', long: 'Only 64-bit code is compiled.' };
    case 'alignment':
      return { short: 'alignment checked', long: 'Code whose accesses are checked for alignment (CR0.AM, RFLAGS.AC) is not compiled.' };
    case 'breakpoint':
      return { short: 'breakpoint in its page', long: 'The interpreter runs code in a page with breakpoints.' };
    case 'unseen':
      return { short: 'has not run', long: 'This code has not run yet, or not since its page was written.' };
    case 'thrashing':
      return {
        short: 'page is written too often',
        long: `Code was written in this page ${count(tier.written)} times while it was compiled: it will not be compiled for a while.`,
      };
    case 'failed':
      return { short: 'left alone', long: 'A check of the compiler failed on this page; the log has a line.' };
    case 'short':
      return { short: 'too short to gain', long: 'The region here exited after a few instructions, which costs more than it gains.' };
    case 'cold':
      return {
        short: `not hot, ${count(tier.samples)} of ${plural(tier.wanted, 'sample')}`,
        long: 'The guest’s position is sampled now and then: a page with enough samples is compiled.',
      };
  }
}
