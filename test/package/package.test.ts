/** Installs the package that `npm pack` makes as a user would: both entry points, their types, and the examples of docs/examples, word for word. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const place = mkdtempSync(join(tmpdir(), 'memslot-lab-package-'));
const consumer = join(place, 'consumer');

/** Type-checked against the packed declarations alone; a wrong type must be an error. */
const TYPED = `import { bootLab, type Lab, type Machine } from 'memslot-lab/machine';
import { type Commit, type MemoryRegion, MemslotEngine } from 'memslot-lab/memory';

const region: MemoryRegion = { slot: 0, guestPhysAddr: 0, memorySize: 4096, userspaceAddr: 0 };
const commit: Commit = new MemslotEngine().setUserMemoryRegion(region);
export const generation: number | string = commit.ok ? commit.generation : commit.refusals.map(({ reason }) => reason).join();

export async function digest(): Promise<string> {
  const lab: Lab = await bootLab({ memory: '16M', smp: 2, accel: 'interp' });
  const machine: Machine = lab.machine;
  // @ts-expect-error: a number is no size
  await bootLab({ memory: 16 });
  return machine.digest();
}`;
const TSC = '--target es2023 --strict --noEmit'.split(' ');
/** A program for Node has no DOM library, one for a bundler has it. */
const MODES = ['--lib es2023 --module node16', '--lib es2023,dom --module preserve --moduleResolution bundler'];

const npm = (cwd: string, ...args: string[]) => run('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd });

async function example(name: string): Promise<string> {
  cpSync(join(root, 'docs/examples', name), join(consumer, name));
  return (await run(process.execPath, [name], { cwd: consumer })).stdout;
}

beforeAll(async () => {
  await npm(root, 'pack', '--pack-destination', place);
  mkdirSync(consumer);
  writeFileSync(join(consumer, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  // Offline, since the package has no dependencies.
  await npm(consumer, 'install', '--offline', `../memslot-lab-${version}.tgz`);
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

describe('the packed package', () => {
  it('runs the example of memslot-lab/memory', async () => {
    expect(await example('memslots.mjs')).toMatch(
      /exchanged: slot 1 move, slot 2 move in 2 swaps\none by one: EEXIST: .*\ngpa 0 is at hva 16 MiB\n$/,
    );
  });

  it('runs the example of memslot-lab/machine', async () => {
    const printed = await example('machine.mjs');
    expect(printed).toContain('0x10000000: 0x0000000000001234');
    expect(printed).toContain('Memory device [dimm]: "d1"');
    expect(printed).toMatch(/\d+ bytes, digest as before\n$/);
  });

  it('refuses with a reason: a wrong option, a wrong line, a text that never comes, a file of the wrong kind', async () => {
    const script = `
      import { bootLab } from 'memslot-lab/machine';
      const say = (error) => console.log(error.message);
      await bootLab({ memory: '64Q' }).catch(say);
      const lab = await bootLab({ memory: '16M' });
      await lab.monitor('device_del nothing').catch(say);
      try { lab.expect('never', 3e6); } catch (error) { say(error); }
      await lab.load(new Uint8Array(5)).catch(say);
      console.log(lab.machine.run.state);`;
    writeFileSync(join(consumer, 'refusals.mjs'), script);
    const { stdout } = await run(process.execPath, ['refusals.mjs'], { cwd: consumer });
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^-m 64Q: /),
      "Device 'nothing' not found",
      expect.stringMatching(/^the guest did not print "never" (in 3000000 instructions|and cannot go on).*lab> "$/),
      'it is not a machine snapshot',
      'running',
      '',
    ]);
  });

  it.each(MODES)('has types that a strict program compiles against: tsc %s', async (mode) => {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    writeFileSync(join(consumer, 'typed.ts'), TYPED);
    const checked = run(process.execPath, [tsc, 'typed.ts', ...TSC, ...mode.split(' ')], { cwd: consumer });
    await expect(checked).resolves.toMatchObject({ stdout: '' });
  });

  it('brings no other package', () => {
    const lock = JSON.parse(readFileSync(join(consumer, 'package-lock.json'), 'utf8')) as { packages: Record<string, unknown> };
    expect(Object.keys(lock.packages)).toEqual(['', 'node_modules/memslot-lab']);
  });
});
