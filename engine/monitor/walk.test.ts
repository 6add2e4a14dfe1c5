/** info walk as a person uses it: with paging off, and through the page tables of a running guest. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { testMonitor } from './testing';

it('says that paging is off', async () => {
  const { monitor } = await testMonitor();
  expect(await monitor.execute('info walk 0x200010')).toMatch(/^0x200010: paging is off\ngpa 0x200010 \(memslot \d+, hva 0x[0-9a-f]+\)\n$/);
  expect(await monitor.execute('info walk')).toContain('Try "help info walk" for more information');
});

it('walks the guest: where gva2gpa leads, each table in a slot, and why an unmapped address stops', async () => {
  const kernel = new Uint8Array(readFileSync(resolve(import.meta.dirname, '../../guests/memlab/memlab.elf')));
  const { monitor, machine } = await testMonitor({ guest: { name: 'memlab', kernel } });
  machine.run.advance(3_000_000);
  const text = await monitor.execute('info walk $rip');
  expect(text).toMatch(
    /: 4-level paging, CR3 0x[0-9a-f]+\n {2}PML4E +bits 47-39 = 0 +at 0x[0-9a-f]+ \(memslot \d+, hva 0x[0-9a-f]+\) +0x[0-9a-f]{16} {2}[A-Z-]{9}\n/,
  );
  const { page } = machine.inspect.pageWalk(machine.inspect.registers().rip);
  expect(await monitor.execute('gva2gpa $rip')).toBe(`gpa: 0x${page?.gpa.toString(16)}\n`);
  expect(text).toContain(`gpa 0x${page?.gpa.toString(16)} (memslot ${page?.slot}, hva 0x${page?.hva?.toString(16)}), `);
  expect(await monitor.execute('info walk 0x8000000000')).toMatch(/not present\nthe PML4E is not present: an access is #PF\n$/);
});
