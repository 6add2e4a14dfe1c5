/** -record and -replay as a user runs them: `lab` processes, and files exchanged with the page's worker. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { gdbReady, runGdb } from '../../test/support/gdb-client';
import { packReplay, packReplayFile, readReplay, unpackReplayFile } from '../snapshot/index';
import { type Of, Page } from '../worker/testing';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'lab-replay-'));
const children = new Set<ChildProcessWithoutNullStreams>();
const pages: Page[] = [];
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const page of pages) await page.session.end();
  rmSync(folder, { recursive: true, force: true });
});

function spawned(...flags: string[]) {
  const child = spawn(process.execPath, [join(root, 'scripts/lab.mjs'), ...flags], {
    cwd: folder,
    env: { ...process.env, XDG_DATA_HOME: folder },
  });
  children.add(child);
  const said = { out: '', err: '' };
  const heard = new Heard();
  heard.from(child.stdout, (text) => {
    said.out += text;
  });
  heard.from(child.stderr, (text) => {
    said.err += text;
  });
  const status = once(child, 'close').then(([code]) => code as number);
  return { child, said, heard, status };
}

async function run(...flags: string[]): Promise<{ status: number; out: string; err: string }> {
  const { child, said, status } = spawned(...flags);
  child.stdin.end();
  return { status: await status, ...said };
}

const replayed = (what: string, ...flags: string[]) => run('-replay', what, ...flags);

/** Output of a process or socket; `until` checks again whenever more arrives. */
class Heard {
  private readonly changed = new EventEmitter().setMaxListeners(0);

  /** Collects the output of `stream` with `keep`. */
  from(stream: Readable, keep: (text: string) => void): void {
    stream.on('data', (chunk: Buffer) => {
      keep(chunk.toString());
      this.changed.emit('more');
    });
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await once(this.changed, 'more');
  }
}

let runs = 0;
/** A machine that is recorded, its monitor on a pipe and its console on a socket. */
async function recorded(...flags: string[]) {
  const number = runs++;
  const [file, serial] = [join(folder, `run${number}.mslr`), join(folder, `serial${number}`)];
  const { child, said, heard, status } = spawned(
    '-record',
    file,
    '-serial',
    `unix:${serial},server=on,wait=on`,
    '-monitor',
    'stdio',
    ...flags,
  );
  await heard.until(() => said.err.includes('waiting for a client'));
  let console = '';
  const socket = connect(serial);
  heard.from(socket, (text) => {
    console += text;
  });
  await heard.until(() => said.out.endsWith('(lab) '));
  return {
    file,
    shows: (words: string) => heard.until(() => console.includes(words)),
    tells: (words: string) => heard.until(() => said.err.includes(words)),
    type: (data: string | Buffer) => socket.write(data),
    /** Resolves to the monitor's output. */
    async monitor(line: string): Promise<string> {
      const before = said.out.length;
      child.stdin.write(`${line}\n`);
      await heard.until(() => said.out.slice(before).endsWith('(lab) '));
      return said.out.slice(before, -'(lab) '.length);
    },
    async end(signal?: NodeJS.Signals): Promise<{ status: number; err: string }> {
      if (signal) child.kill(signal);
      else child.stdin.end('quit\n');
      return { status: await status, err: said.err };
    },
  };
}

async function busy(lab: Awaited<ReturnType<typeof recorded>>): Promise<void> {
  await lab.shows('lab> ');
  expect(await lab.monitor('object_add memory-backend-ram,id=m1,size=64M')).toBe('');
  expect(await lab.monitor('device_add pc-dimm,id=d1,memdev=m1')).toBe('');
  await lab.shows('memory hotplug: DIMM slot 0');
  lab.type('poke 0x2000000 0x4321\r');
  lab.type('watch 0x2000000\r');
  await lab.shows('watch 0x2000000');
  for (const line of ['changeset_begin', 'memslot_add 40 1T 2M', 'memslot_add 41 2T 2M', 'changeset_commit -l', 'undo']) {
    expect(await lab.monitor(line)).not.toContain('Error');
  }
  expect(await lab.monitor('layout_save kept')).toBe('');
  expect(await lab.monitor('layout_load kept')).toBe('');
}

const MACHINE = ['-m', '64M,slots=4,maxmem=1G'];

describe('lab -record', () => {
  it('writes a replay when lab ends, and -replay leads to the same digest', async () => {
    const lab = await recorded(...MACHINE, '-smp', '2');
    await busy(lab);
    const digest = (await lab.monitor('info digest')).trim();
    const link = /http\S+#r=\S+/.exec(await lab.monitor('share -r'))?.[0];
    expect(await lab.end()).toMatchObject({ status: 0, err: expect.not.stringContaining('-record') });
    const played = await replayed(lab.file, '-serial', `file:${join(folder, 'console')}`);
    expect(played).toMatchObject({ status: 0, err: '' });
    expect(played.out).toMatch(/^replayed \d+ instructions\nrecorded {2}([0-9a-f]{64})\nthis run {2}\1\nequal\n$/);
    expect(readFileSync(join(folder, 'console'), 'latin1')).toContain('memory hotplug: DIMM slot 0');
    // A link of the same machine, and of an earlier moment.
    expect(digest).toMatch(/[0-9a-f]{64}/);
    expect(await replayed(link ?? '')).toMatchObject({ status: 0, out: expect.stringContaining('equal') });
  });

  it('is complete for a machine that started stopped, was ended by a signal, or switched itself off', async () => {
    const stopped = await recorded(...MACHINE, '-S');
    expect(await stopped.monitor('info status')).toContain('paused');
    await stopped.end();
    expect(await replayed(stopped.file)).toMatchObject({ status: 0, out: expect.stringMatching(/^replayed 0 instructions/) });
    const signalled = await recorded(...MACHINE);
    await signalled.shows('lab> ');
    await signalled.end('SIGTERM');
    expect(await replayed(signalled.file)).toMatchObject({ status: 0 });
    const off = await recorded(...MACHINE);
    await off.shows('lab> ');
    off.type('off\r');
    expect(await off.end()).toMatchObject({ status: 0 });
    expect(await replayed(off.file)).toMatchObject({ status: 0, err: '' });
  });

  it('has everything up to the present when lab ends in the past', async () => {
    const lab = await recorded(...MACHINE, '-gdb', `unix:${join(folder, 'gdb')},server=on,wait=off`);
    await lab.shows('lab> ');
    lab.type('poke 0x2000000 0x4321\r');
    await lab.shows('4321\r\nlab> ');
    expect(await lab.monitor('stop')).toBe('');
    expect(await lab.monitor('replay_seek 1000')).toBe('');
    expect(await lab.end()).toMatchObject({ status: 0 });
    const console = join(folder, 'past');
    expect(await replayed(lab.file, '-serial', `file:${console}`)).toMatchObject({ status: 0, err: '' });
    expect(readFileSync(console, 'latin1')).toContain('4321');
  });

  it('starts again with a loaded snapshot', async () => {
    const lab = await recorded(...MACHINE, '-snapshots', join(folder, 'kept'));
    await lab.shows('lab> ');
    lab.type('poke 0x2000000 0x4321\r');
    await lab.shows('4321');
    expect(await lab.monitor('savevm before')).toBe('');
    lab.type('poke 0x2000000 0x1\r');
    expect(await lab.monitor('loadvm before')).toBe('');
    lab.type('peek 0x2000000\r');
    await lab.shows('peek 0x2000000');
    await lab.end();
    expect(await replayed(lab.file)).toMatchObject({ status: 0, err: '' });
    const again = await recorded(...MACHINE, '-snapshots', join(folder, 'kept'), '-loadvm', 'before');
    again.type('mem\r');
    await again.shows('lab> ');
    await again.end();
    expect(await replayed(again.file)).toMatchObject({ status: 0, err: '' });
  });

  it('writes no file, and gives the reason, if the machine got an input that no replay can contain', async () => {
    const lab = await recorded(...MACHINE);
    await lab.shows('lab> ');
    lab.type(Buffer.of(0xff, 0x0d));
    await lab.tells('no replay can be made');
    const { status, err } = await lab.end();
    expect({ status, err }).toEqual({ status: 1, err: expect.stringContaining('the serial line received bytes that are not UTF-8 text') });
    expect(existsSync(lab.file)).toBe(false);
  });

  it('refuses a machine that is too large for a replay at once', async () => {
    const { status, err } = await run('-record', join(folder, 'never.mslr'), '-m', '2G');
    expect({ status, err }).toEqual({ status: 1, err: expect.stringContaining('bytes of RAM, a replay is read with') });
  });

  it('refuses a path that cannot be written to, before anything runs', async () => {
    for (const [path, words] of [
      [folder, 'Is a directory'],
      [join(folder, 'nowhere/run.mslr'), 'there is no folder'],
    ] as const)
      expect(await run('-record', path)).toMatchObject({ status: 1, out: '', err: expect.stringContaining(words) });
  });
});

async function page(more: Parameters<Page['boot']>[0] = {}): Promise<Page> {
  const started = new Page();
  pages.push(started);
  started.boot(more);
  await started.first('booted');
  return started;
}

describe('lab -replay', () => {
  it('plays what the page exports, to the page’s digest', async () => {
    const made = await page();
    await made.until(() => (/lab> $/.test(made.console) ? true : undefined));
    made.session.receive({ type: 'console', text: 'poke 0x2000000 0x77\r' });
    await made.ask({ type: 'stage', action: { do: 'begin' } });
    await made.ask({
      type: 'stage',
      action: { do: 'stage', edit: { op: 'add', slot: 40, gpa: 2 ** 40, size: 2 ** 21, hva: 0, flags: 0 } },
    });
    await made.ask({ type: 'stage', action: { do: 'commit', legacy: false } });
    await made.monitor('stop');
    const { value: digest } = await made.ask({ type: 'call', method: 'digest' });
    const file = join(folder, 'page.mslr');
    writeFileSync(file, (await made.ask({ type: 'export', what: 'replay' })).value as Uint8Array);
    const played = await replayed(file);
    expect(played).toMatchObject({ status: 0, err: '' });
    expect(played.out).toContain(`this run  ${digest}\nequal\n`);
    const link = String((await made.ask({ type: 'share', what: 'replay' })).value);
    expect((await replayed(link)).out).toContain(`this run  ${digest}\nequal\n`);
  });

  it('records files that the page can play', async () => {
    const lab = await recorded(...MACHINE);
    await busy(lab);
    await lab.end();
    const other = await page({ replay: new Uint8Array(readFileSync(lab.file)) });
    expect(other.heard.find((said) => said.type === 'boot-error')).toBeUndefined();
    const view = await other.until(
      () => other.heard.findLast((said): said is Of<'replay'> => said.type === 'replay' && said.view.phase !== 'running')?.view,
    );
    expect(view).toMatchObject({ phase: 'done' });
    if (view.phase === 'done') expect(view.digest).toBe(view.expected);
  });

  it('has status 1 when the digest differs, and prints both', async () => {
    const lab = await recorded(...MACHINE);
    await lab.shows('lab> ');
    await lab.end();
    const replay = readReplay(await unpackReplayFile(new Uint8Array(readFileSync(lab.file))));
    const file = join(folder, 'other.mslr');
    writeFileSync(file, await packReplayFile(packReplay({ ...replay, digest: 'ab'.repeat(32) })));
    const { status, out } = await replayed(file);
    expect(status).toBe(1);
    expect(out).toMatch(new RegExp(`recorded  ${'ab'.repeat(32)}\nthis run  [0-9a-f]{64}\nDIFFERENT\n$`));
    // An end that the machine never reaches.
    writeFileSync(file, await packReplayFile(packReplay({ ...replay, end: { ...replay.end, instructions: replay.end.instructions + 1 } })));
    expect(await replayed(file)).toMatchObject({ status: 1, out: '', err: expect.stringContaining('diverged from the end') });
  });

  it.runIf(gdbReady)('serves gdb at its end: back to the last writer, and forward; what gdb adds there is part of the past', async () => {
    const lab = await recorded(...MACHINE);
    await lab.shows('lab> ');
    lab.type('poke 0x2000000 0x77\r');
    lab.type('poke 0x2000000 0x1234\r');
    lab.type('mem\r');
    await lab.shows('no memory is plugged in');
    await lab.end();
    const path = join(folder, 'gdb');
    const { heard, said, status } = spawned('-replay', lab.file, '-gdb', `unix:${path},server=on,wait=off`, '-serial', 'null');
    await heard.until(() => said.out.endsWith('equal\n'));
    const text = await runGdb(
      path,
      undefined,
      `monitor memslot_add 40 1T 2M
monitor who_wrote 0x2000000
watch *(long *)0x2000000
reverse-continue
reverse-continue
monitor memslot_add 41 2T 2M
delete
continue
monitor info memslots
kill
`,
    );
    expect(text).toMatch(/vCPU 0 at rip 0x[0-9a-f]+( \(command_poke\))?, instruction \d+ .*: 0x1234, 8 bytes/);
    expect(text).toMatch(/Old value = 4660\s+New value = 119\s[\s\S]*Old value = 119\s+New value = 0\s/);
    expect(text).toContain('the machine is in its past');
    expect(text).toMatch(/No more reverse-execution history[\s\S]*^40 +0 +0x0*10000000000 +2M/m);
    expect(await status).toBe(0);
  });

  it('refuses what it cannot play, in one line', async () => {
    const put = (name: string, bytes: Uint8Array | string): string => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    const lab = await recorded(...MACHINE);
    await lab.shows('lab> ');
    await lab.end();
    const whole = new Uint8Array(readFileSync(lab.file));
    const replay = readReplay(await unpackReplayFile(whole));
    const spec = { ...replay.spec, image: '0'.repeat(16) };
    const elsewhere = await packReplayFile(packReplay({ ...replay, spec: { ...replay.spec, guest: 'nobody' } }));
    const start = replay.entries[0]?.at ?? replay.end;
    const quits = { ...replay, entries: [{ at: { ...start }, input: { kind: 'line' as const, line: 'pmemsave 0 1 out' } }] };
    for (const [what, words] of [
      [join(folder, 'nothing'), 'No such file or directory'],
      [folder, 'Is a directory'],
      [put('empty', ''), 'the file is empty'],
      [put('garbage', 'MZ and so on'), '-replay'],
      [put('cut', whole.subarray(0, whole.length - 9)), 'cut off|damaged'],
      [put('long', new Uint8Array(5 * 2 ** 20)), 'at most'],
      [put('build', await packReplayFile(packReplay({ ...replay, spec }))), 'a different build of memlab'],
      [put('guest', elsewhere), 'there is no such prepared guest'],
      [put('writes', await packReplayFile(packReplay(quits))), 'not a command that a replay may contain'],
      ['http://localhost/#l=1.abc', 'it is a layout, no replay'],
      ['#r=1.abc', 'the link'],
    ] as const) {
      const { status, out, err } = await replayed(what);
      expect({ what, status, out }).toEqual({ what, status: 1, out: '' });
      expect(err).toMatch(new RegExp(`^lab: .*(?:${words}).*\n$`));
    }
    expect(existsSync(join(folder, 'out'))).toBe(false);
  });
});
