import { describe, expect, it } from 'vitest';
import { inspectFile } from './inspect';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a file of unknown kind', () => {
  it.each([
    ['', /empty/],
    ['no snapshot at all', /^it is not a machine snapshot, layout or replay$/],
    ['MSLM', /not a machine snapshot|cut short/],
    ['{"format":1', /./],
    ['{}', /./],
  ])('%j is refused with one line', async (text, reason) => {
    const refusal = await inspectFile(bytes(text)).then(
      () => 'taken',
      (error: Error) => error.message,
    );
    expect(refusal).toMatch(reason);
    expect(refusal).not.toMatch(/taken|\n/);
  });
});
