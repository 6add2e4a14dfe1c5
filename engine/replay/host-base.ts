/** Shifts hvas in the inputs of a replay, for a machine whose host memory begins elsewhere than where they were recorded. */
import { HOST_BASE } from '../abi/layout';
import { withHvaMoved } from '../monitor/index';
import type { JournalInput } from '../snapshot/index';

/** `base`: where host memory began in the recording, bytes. */
export function withHvasHere(input: JournalInput, base = HOST_BASE): JournalInput {
  const by = HOST_BASE - base;
  if (by === 0) return input;
  if (input.kind === 'line') return { kind: 'line', line: withHvaMoved(input.line, by) };
  if (input.kind !== 'stage') return input;
  const { edit } = input.action as { edit?: { hva?: unknown } };
  // Below host memory it is not an hva, but the page's value for "none".
  if (typeof edit?.hva !== 'number' || edit.hva < base) return input;
  return { kind: 'stage', action: { ...input.action, edit: { ...edit, hva: edit.hva + by } } };
}
