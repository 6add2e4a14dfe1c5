/** What runs the code around rip, in words. */
import type { TierView } from '../../../engine/worker/protocol';
import { count, plural } from '../../shared/format';

/** Why the interpreter runs it: a few words, and a sentence. */
export function reason(tier: Extract<TierView, { tier: 'interpreter' }>): { short: string; long: string } {
  switch (tier.why) {
    case 'accel':
      return { short: '-accel interp', long: 'The machine was started with -accel interp.' };
    case 'refused':
      return { short: 'compiling forbidden', long: `Compiling at run time is forbidden here: ${tier.text}` };
    case 'mode':
      return { short: '16- or 32-bit code', long: 'Only 64-bit code is compiled.' };
    case 'alignment':
      return { short: 'alignment checked', long: 'Code whose accesses are checked for alignment (CR0.AM, RFLAGS.AC) is not compiled.' };
    case 'breakpoint':
      return { short: 'breakpoint in its page', long: 'A page of code with breakpoints is the interpreter’s.' };
    case 'unseen':
      return { short: 'has not run', long: 'This code has not run yet, or not since its page was written.' };
    case 'thrashing':
      return {
        short: 'page is written too often',
        long: `Code was written in this page ${count(tier.written)} times while it was compiled: it is left alone for a while.`,
      };
    case 'failed':
      return { short: 'left alone', long: 'A check of the compiler failed on this page; the log has a line.' };
    case 'short':
      return { short: 'too short to gain', long: 'The region here was left after a few instructions, which costs more than it gains.' };
    case 'cold':
      return {
        short: `not hot, ${count(tier.samples)} of ${plural(tier.wanted, 'sample')}`,
        long: 'Now and then it is looked where the guest is: a page where it was often enough is compiled.',
      };
  }
}
