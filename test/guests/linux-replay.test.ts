/** A recorded session with stock Linux, replayed: it boots, uses a DIMM, receives typed input, and ends in the same digest. */
import { expect, it } from 'vitest';
import { type Of, Page } from '../../engine/worker/testing';
import { GIB, MIB } from './harness';
import { linuxImage, missing } from './linux';

const config = { ram: 256 * MIB, slots: 8, maxmem: 4 * GIB, smp: 2, accel: 'jit' } as const;

it.skipIf(missing)(
  'Linux with two vCPUs, recorded with the JIT, replays in the interpreter to the same digest',
  async () => {
    const guest = linuxImage();
    const page = new Page();
    page.boot({ config, guest });
    const shows = (pattern: RegExp) => page.until(() => (pattern.test(page.console) ? true : undefined));
    await shows(/guest# /);
    await page.monitor('object_add memory-backend-ram,id=m1,size=256M');
    expect(await page.monitor('device_add pc-dimm,id=d1,memdev=m1')).toBe('');
    for (const key of 'free -m\r') page.session.receive({ type: 'console', text: key });
    await shows(/Mem:[\s\S]*guest# /);
    page.session.receive({ type: 'run', action: 'stop' });
    const { value: link } = await page.ask({ type: 'share', what: 'replay' });
    expect((await page.ask({ type: 'share', what: 'state' })).error).toMatch(/^the guest uses \d+ bytes of memory/);
    await page.session.end();
    const other = new Page();
    // Recorded with the JIT, replayed by the interpreter.
    other.boot({ config: { ...config, accel: 'interp' }, guest, link: String(link).replace(/^[^#]*/, '') });
    const ended = (said: (typeof other.heard)[number]): said is Of<'replay'> => said.type === 'replay' && said.view.phase !== 'running';
    const { view } = await other.until(() => other.heard.find(ended));
    expect(view, JSON.stringify(view)).toMatchObject({ phase: 'done' });
    if (view.phase === 'done') expect(view.digest).toBe(view.expected);
    expect(other.console).toMatch(/Mem:/);
    await other.session.end();
  },
  240_000,
);
