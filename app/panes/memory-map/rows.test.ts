import { expect, test } from 'vitest';
import { type Lane, layOutRows } from './rows';

test('every lane of the map is below the one before it, and the last ends inside the canvas, from 200 px on', () => {
  for (let height = 200; height < 500; height++) {
    const rows = layOutRows(720, height, false);
    let end = 0;
    for (const name of ['overview', 'ticks', 'staged', 'guest', 'dirty', 'ribbons', 'host'] as const) {
      const { y, h }: Lane = rows[name];
      expect(y, `${name} at ${height}`).toBeGreaterThanOrEqual(end);
      end = y + h;
    }
    expect(end + (rows.hostTicks ? 18 : 0), `the host at ${height}`).toBeLessThanOrEqual(height);
  }
});
