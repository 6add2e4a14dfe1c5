/** Breakpoints in layouts: saved only on request, shown when loaded, refused with a reason if they cannot be set. */
import { describe, expect, it } from 'vitest';
import { Guest, MIB, rootFile } from '../../test/guests/harness';
import { breakpointsOf } from '../debug/index';
import type { Machine, MachineConfig } from '../machine/index';
import { Monitor } from '../monitor/index';
import { testEnv } from '../monitor/testing';
import { layoutFormat } from '../snapshot/index';
import { makeMachine, wantedBy } from './wanted';

const kernel = rootFile('guests/memlab/memlab.elf');
const config: MachineConfig = { ram: 32 * MIB, slots: 4, maxmem: 2048 * MIB, smp: 1, accel: 'jit' };
const make = async (): Promise<Machine> => (await Guest.boot({ ...config, guest: { name: 'memlab', kernel } })).machine;

async function lab(): Promise<{
  machine: Machine;
  monitor: Monitor;
  env: ReturnType<typeof testEnv>;
  does(line: string): Promise<string>;
}> {
  const machine = await make();
  const env = testEnv(layoutFormat);
  const monitor = new Monitor(machine, env);
  const does = async (line: string): Promise<string> => {
    const text = await monitor.execute(line);
    expect(text).not.toContain('Error');
    return text;
  };
  return { machine, monitor, env, does };
}

const LINES = [
  'gva=0x100499,if=$rdi==0x2badb002&&$rsi!=0',
  'gpa=0x500000,len=8,access=w,skip=3',
  'page=0x501000,access=r,vcpu=0',
  'slot=9,access=rw,after=commit',
  'port=0x3f8,len=8,access=w',
  'msr=0xc0000080,access=w,once=on',
  'vector=14',
  'hole',
  'hole=0x40000000,len=0x1000,access=r',
];

const listed = async (monitor: Monitor): Promise<string> => (await monitor.execute('info breakpoints')).replaceAll(/^\d+ +/gm, '');

describe('layout_save -b', () => {
  it('keeps breakpoints, and layout_load sets and shows them; without -b there are none', async () => {
    const { machine, monitor, env, does } = await lab();
    await does('memslot_add 9 0x20000000 1M');
    for (const line of LINES) await does(`breakpoint_add ${line}`);
    await does('breakpoint_add gpa=0x600000');
    await does('breakpoint_disable 10');
    await does('breakpoint_add hva=0x7000000');
    breakpointsOf(machine).add({
      place: { kind: 'gva', first: 0x100000n, length: 1 },
      access: { execute: true, read: false, write: false },
      owner: 'gdb',
    });
    await does('layout_save plain');
    await does('layout_save -b kept');
    expect(await env.layouts.get('plain')).not.toContain('breakpoint');
    const other = await lab();
    await other.env.layouts.set('kept', (await env.layouts.get('kept'))!);
    const shown = await other.does('layout_load kept');
    expect(shown.match(/\n/g)).toHaveLength(LINES.length);
    expect(shown).toContain('slot 9');
    const all = await listed(monitor);
    for (const line of (await listed(other.monitor)).trim().split('\n')) expect(all).toContain(line);
    // Existing breakpoints are not set twice, and no input of a replay has any.
    expect(await other.does('layout_load kept')).toBe('');
    expect(breakpointsOf(other.machine).list()).toHaveLength(LINES.length);
    expect(layoutFormat.parts((await env.layouts.get('kept'))!)?.memory).toBe(await env.layouts.get('plain'));
  });

  it('refuses impossible breakpoints with a reason, and changes nothing', async () => {
    const { machine, env, does, monitor } = await lab();
    await does('memslot_add 9 0x20000000 1M');
    await does('layout_save there');
    await does('memslot_del 9');
    const text = (await env.layouts.get('there'))!;
    const before = machine.memory.generation(0);
    for (const [breakpoints, words] of [
      ['hole', 'breakpoints is "hole", not a list'],
      [[7], 'breakpoints\\[0\\] is 7, not a line'],
      [['hole\n'], 'not a line of 1 to 400 printable'],
      [['x'.repeat(500)], 'breakpoints\\[0\\] is'],
      [Array.from({ length: 65 }, (_unused, i) => `gva=${i}`), 'breakpoints has 65 entries, at most 64'],
      [['gpa=1', 'gpa='], "breakpoint 2, 'gpa=': "],
      [['gpa=1,if=$nonsense'], 'is not a condition'],
      [['vcpu=3,hole'], 'vcpu=3'],
      [['slot=77'], 'memslot 77 is not in the layout'],
      [['hva=0x7000000'], 'means nothing in another machine'],
      [['quit'], "'quit': give a place: one of gva=..., "],
    ] as const) {
      await env.layouts.set('bad', JSON.stringify({ ...JSON.parse(text), breakpoints }));
      expect(await monitor.execute('layout_load bad')).toMatch(new RegExp(`^Error: layout 'bad' refused: .*${words}`));
      expect(breakpointsOf(machine).list()).toHaveLength(0);
      expect(machine.memory.generation(0)).toBe(before);
    }
    for (let i = 0; i < 60; i++) await does(`breakpoint_add gpa=${i}`);
    await env.layouts.set('many', JSON.stringify({ ...JSON.parse(text), breakpoints: [1, 2, 3, 4, 5].map((at) => `gva=${at}`) }));
    expect(await monitor.execute('layout_load many')).toContain('at most 64 are possible');
  });
});

describe('a link to a layout', () => {
  const opened = async (link: string) => {
    const asked = { config, link: link.slice(link.indexOf('#')) };
    const wanted = await wantedBy(asked);
    if (typeof wanted === 'string') throw new Error(wanted);
    return { wanted, ...(await makeMachine(asked, make, wanted)) };
  };

  it('includes breakpoints only with -b, and they stop the machine that it opens', async () => {
    const { does, monitor } = await lab();
    await does('breakpoint_add gva=0x100499');
    expect(breakpointsOf((await opened((await does('share')).trim())).machine).list()).toHaveLength(0);
    expect(await monitor.execute('share -s -b')).toContain('only a layout can include breakpoints');
    const { machine, reason, wanted } = await opened((await does('share -b')).trim());
    expect(reason).toBeUndefined();
    machine.run.advance(1_000_000);
    expect([machine.run.state, machine.inspect.registers().rip]).toEqual(['paused', 0x100499n]);
    expect(wanted.kind === 'layout' && wanted.text).not.toContain('breakpoint');
  });

  it('is refused with a reason where they are none', async () => {
    const { machine } = await lab();
    const text = JSON.stringify({ ...JSON.parse(layoutFormat.capture(machine)), breakpoints: ['gva=0x100499,if=1=='] });
    const { reason, machine: plain } = await opened(await layoutFormat.link(text, ''));
    expect(reason).toContain("breakpoint 1, 'gva=0x100499,if=1==': ");
    expect(breakpointsOf(plain).list()).toHaveLength(0);
  });
});
