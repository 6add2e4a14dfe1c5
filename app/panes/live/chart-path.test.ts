import { describe, expect, it } from 'vitest';
import { chartPath } from './chart-path';

describe('the line of a chart', () => {
  it('goes from the oldest figure to now, the highest at the top', () => {
    expect(chartPath([-120, -60.004, 0], [0, 50, 200], 200)).toBe('M-120 1L-60 0.75L0 0');
  });

  it('stays low while there is next to nothing to show', () => {
    expect(chartPath([-1, 0], [0.25, 0], 0.25)).toBe('M-1 0.75L0 1');
  });

  it('is not there for a single figure', () => {
    expect(chartPath([0], [3], 3)).toBe('');
  });
});
