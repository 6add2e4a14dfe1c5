/** Refusals and errors as one line for people. */
import type { Refusal } from '../memory/types';

/** One line each: "entry 2: EEXIST: ...". */
export const refusalText = (refusals: readonly Refusal[]): string =>
  refusals.map(({ index, errno, reason }) => `${index < 0 ? '' : `entry ${index + 1}: `}${errno}: ${reason}`).join('\n');

export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\n\s*/g, ' ');
}
