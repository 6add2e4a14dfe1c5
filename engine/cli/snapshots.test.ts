/** savevm and loadvm as a user runs them: `lab` processes, a monitor on a pipe, the guest's serial line on a socket, files in a folder. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'lab-snapshots-'));
const kept = join(folder, 'kept');
const children = new Set<ChildProcessWithoutNullStreams>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Reads up to and including `words`. */
function reader(stream: Readable): (words: string) => Promise<string> {
  let text = '';
  const chunks = stream[Symbol.asyncIterator]();
  return async (words) => {
    for (;;) {
      const at = text.indexOf(words);
      if (at >= 0) {
        const found = text.slice(0, at + words.length);
        text = text.slice(at + words.length);
        return found;
      }
      const { done, value } = await chunks.next();
      if (done) throw new Error(`ended without ${JSON.stringify(words)} after ${JSON.stringify(text)}`);
      text += String(value);
    }
  };
}

interface Lab {
  command(line: string): Promise<string>;
  serial: { until(words: string): Promise<string>; type(text: string): void };
  end(): Promise<number>;
}

function spawned(...flags: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [join(root, 'scripts/lab.mjs'), '-m', '32M,slots=4,maxmem=1G', '-snapshots', kept, ...flags], {
    cwd: folder,
    env: { ...process.env, XDG_DATA_HOME: folder },
  });
  children.add(child);
  return child;
}

let sockets = 0;
async function lab(...flags: string[]): Promise<Lab> {
  const path = join(folder, `serial${sockets++}`);
  const child = spawned('-serial', `unix:${path},server=on,wait=on`, '-monitor', 'stdio', ...flags);
  await reader(child.stderr)('waiting for a client');
  const socket = connect(path);
  const out = reader(child.stdout);
  await out('(lab) ');
  return {
    async command(line) {
      child.stdin.write(`${line}\n`);
      return (await out('(lab) ')).slice(0, -'(lab) '.length);
    },
    serial: { until: reader(socket), type: (text) => socket.write(text) },
    async end() {
      const closed = once(child, 'close');
      child.stdin.end();
      return Number((await closed)[0]);
    },
  };
}

describe('machine snapshots of lab', { timeout: 120_000 }, () => {
  it('go to a folder and start another lab at the same state, DIMM and all', async () => {
    const first = await lab();
    await first.serial.until('lab> ');
    expect(await first.command('object_add memory-backend-ram,id=mem1,size=64M')).toBe('');
    expect(await first.command('device_add pc-dimm,id=dimm1,memdev=mem1')).not.toContain('Error');
    await first.serial.until('memory hotplug');
    first.serial.type('poke 0x1f00000 0x1234\r');
    await first.serial.until('0x1234');
    await first.serial.until('lab> ');
    await first.command('stop');
    expect(await first.command('info snapshots')).toContain('There is no snapshot available.\n');
    expect(await first.command('savevm one')).toBe('');
    expect(await first.command('savevm ../two')).toBe('');
    const digest = await first.command('info digest');
    expect(await first.command('info snapshots')).toMatch(
      /ICOUNT\n(-- +(one|\.\.\/two) +[\d.]+ [KM]iB [\d-]+ [\d:]+ 00:00:\d\d\.\d{3} +\d+\n){2}$/,
    );
    expect(await first.end()).toBe(0);
    expect(readdirSync(kept).sort()).toEqual(['%2E.%2Ftwo.mslm', 'one.mslm']);

    const second = await lab('-loadvm', 'one', '-S');
    expect(await second.command('info digest')).toBe(digest);
    expect(await second.command('info memory-devices')).toContain('Memory device [dimm]: "dimm1"');
    await second.command('cont');
    second.serial.type('peek 0x1f00000\r');
    expect(await second.serial.until('lab> ')).toContain('1234');

    // A damaged file is refused and the guest continues; the intact one restores it.
    const bytes = readFileSync(join(kept, 'one.mslm'));
    writeFileSync(join(kept, 'cut.mslm'), bytes.subarray(0, bytes.length - 100));
    expect(await second.command('loadvm cut')).toMatch(/^Error: snapshot 'cut' refused: it is cut short at byte \d+[^\n]*\n$/);
    second.serial.type('poke 0x1f00000 0x9999\r');
    await second.serial.until('0x9999');
    await second.serial.until('lab> ');
    expect(await second.command('loadvm one')).toBe('');
    expect(await second.command('info status')).toBe('VM status: running\n');
    second.serial.type('peek 0x1f00000\r');
    await second.serial.until('1234');
    await second.command('delvm one');
    expect(readdirSync(kept)).not.toContain('one.mslm');
    expect(await second.end()).toBe(0);
  });

  it('that cannot be loaded at the start are one line and status 1', async () => {
    mkdirSync(kept, { recursive: true });
    writeFileSync(join(kept, 'short.mslm'), Uint8Array.of(0x4d, 0x53, 0x4c, 0x4d, 13, 10, 26, 10));
    for (const [name, message] of [
      ['nope', `lab: -loadvm nope: Snapshot 'nope' does not exist in ${kept}\n`],
      ['short', /^lab: -loadvm short: it is cut short at byte 8\n$/],
    ] as const) {
      const child = spawned('-loadvm', name);
      let text = '';
      child.stderr.on('data', (chunk) => {
        text += String(chunk);
      });
      const [status] = await once(child, 'close');
      expect(text).toMatch(message);
      expect(status).toBe(1);
    }
  });
});
