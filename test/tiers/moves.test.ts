/**
 * A machine whose memory moves under compiled code: memlab sweeps over two DIMMs while every command that moves memory runs at a fixed instruction
 * count.
 */
import { expect, it } from 'vitest';
import { Monitor } from '../../engine/monitor/index';
import { testEnv } from '../../engine/monitor/testing';
import { Guest, MIB, rootFile } from '../guests/harness';

const A = 0x10000000;
const B = 0x18000000;

/** Monitor lines, one after each stretch. */
const LINES = [
  'changeset_begin',
  `memslot_move SLOT1 ${B}`,
  `memslot_move SLOT2 ${A}`,
  'changeset_commit -s',
  'changeset_step',
  'changeset_step',
  'changeset_step',
  'changeset_step -a',
  'undo',
  'memslot_flags SLOT1 -l',
  'dirty_log SLOT1',
  'dirty_log SLOT1',
  'memslot_flags SLOT1 -r',
  'memslot_flags SLOT1',
  'memslot_rehost SLOT1',
  `memslot_split SLOT1 ${A + 4 * MIB} 60`,
  `memslot_move 60 ${0x20000000}`,
  'undo',
  'memslot_merge SLOT1 60',
  'memslot_resize SLOT2 4M',
  'undo',
  'memslot_harvest SLOT2',
  'undo',
  'device_del d2',
];

async function story(accel: 'interp' | 'jit', zap: 'slot' | 'all'): Promise<{ seen: string[]; filled: number; dropped: number }> {
  const guest = await Guest.boot({
    guest: { name: 'memlab', kernel: rootFile('guests/memlab/memlab.elf') },
    ram: 16 * MIB,
    slots: 8,
    maxmem: 2 ** 40,
    accel,
  });
  const { machine } = guest;
  const monitor = new Monitor(machine, testEnv());
  guest.until('lab> ', 5e6);
  await monitor.execute(`zap_mode ${zap}`);
  for (const [n, at] of [A, B].entries()) {
    machine.backends.add(`m${n + 1}`, 8 * MIB);
    machine.dimms.plug({ id: `d${n + 1}`, memdev: `m${n + 1}`, addr: at });
    guest.until('lab> ');
    guest.command(`fill ${at} 8M ${0x1111 * (n + 1)}`);
  }
  const slots = [A, B].map((at) => machine.memory.memslotAt(at / 4096)!.slot);
  // Overwrites and reads the first module, again and again.
  for (let n = 0; n < 4; n++) guest.type(`test ${A} 8M\r`);
  const seen: string[] = [];
  for (const line of LINES) {
    machine.run.advance(700_001);
    const answer = await monitor.execute(line.replaceAll('SLOT1', `${slots[0]}`).replaceAll('SLOT2', `${slots[1]}`));
    expect(`${line}: ${answer}`).not.toContain('Error');
    seen.push(`${machine.run.instructions} ${line}: ${String(answer)} ${await machine.digest()}`);
  }
  machine.run.advance(3_000_000);
  seen.push(`${await machine.digest()} ${guest.text}`);
  const windows = machine.inspect.jitFigures()?.windows;
  return { seen, filled: windows?.filled ?? 0, dropped: windows?.dropped ?? 0 };
}

it.each(['slot', 'all'] as const)('the same digests in both tiers, whatever moves, zap %s', { timeout: 120_000 }, async (zap) => {
  const interpreted = await story('interp', zap);
  const compiled = await story('jit', zap);
  expect(compiled.seen).toEqual(interpreted.seen);
  expect(compiled.filled).toBeGreaterThan(10);
  expect(compiled.dropped).toBeGreaterThan(5);
});
