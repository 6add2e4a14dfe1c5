/** What the engine holds for a region goes with it: pages of code that are written again and again must not fill a tab. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, it } from 'vitest';
import { TestCore } from '../support/core';
import { EAGER } from './pair';

const CODE = 0x10000;
const REGIONS = 400;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const { Instance } = WebAssembly;
afterEach(() => {
  WebAssembly.Instance = Instance;
});

it(`modules of ${REGIONS} dropped regions are collected`, async () => {
  const seen: WeakRef<WebAssembly.Instance>[] = [];
  WebAssembly.Instance = class extends Instance {
    constructor(...given: ConstructorParameters<typeof Instance>) {
      super(...given);
      if ('region' in this.exports) seen.push(new WeakRef(this));
    }
  };
  const t = new TestCore(0x800000, EAGER);
  t.longMode(CODE);
  for (let region = 0; region < REGIONS; region++) {
    // INC EAX; JMP back: its page is written, so the region before is dropped.
    t.poke(CODE, 'ffc0 ebfc');
    t.run(200);
  }
  expect(seen.length).toBeGreaterThanOrEqual(REGIONS);
  const { regions, drops } = t.jit!.figures();
  expect(drops.written).toBeGreaterThanOrEqual(REGIONS - 1);
  // A WeakRef holds its target until the job that made it has ended.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(seen.filter((each) => each.deref() !== undefined).length).toBeLessThanOrEqual(regions);
});
