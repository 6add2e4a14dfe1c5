/** `lab -gdb` and the monitor's `gdbserver`, as a user runs them: gdb attaches by a socket's path and by a port, one after the other. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { gdbFolder, gdbReady, runGdb } from '../../test/support/gdb-client';

const root = resolve(import.meta.dirname, '../..');
let child: ChildProcess | undefined;
afterAll(() => {
  child?.kill('SIGKILL');
  rmSync(gdbFolder, { recursive: true, force: true });
});

async function listening(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

async function freePort(): Promise<number> {
  const { server, port } = await listening();
  server.close();
  await once(server, 'close');
  return port;
}

describe.runIf(gdbReady)('lab -gdb', { timeout: 180_000 }, () => {
  it('serves gdb on a socket, then at the address from the monitor, and on the old one if that fails', async () => {
    const path = join(gdbFolder, 'flag.sock');
    const flags = ['-gdb', `unix:${path},server=on,wait=off`, '-S', '-m', '16M', '-kernel', 'guests/memlab/memlab.elf'];
    const lab = spawn(process.execPath, [join(root, 'scripts/lab.mjs'), ...flags], { cwd: root });
    child = lab;
    let said = '';
    let wake = (): void => {};
    lab.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      wake();
    });
    /** The monitor's answer, up to its next prompt. */
    const answer = async (line: string): Promise<string> => {
      const from = said.length;
      if (line !== '') lab.stdin.write(`${line}\n`);
      while (!said.slice(from).includes('(lab) '))
        await new Promise<void>((done) => {
          wake = done;
        });
      return said.slice(from).replace(/\(lab\) $/, '');
    };
    const rip = async (target: string): Promise<string> => await runGdb(target, undefined, 'info registers rip\ndetach\n');
    const atStart = /rip +0x100010 [\s\S]*\[Inferior 1 \(Remote target\) detached\]/;
    await answer('');

    expect(await rip(path)).toMatch(atStart);
    const port = await freePort();
    expect(await answer(`gdbserver tcp:127.0.0.1:${port}`)).toContain(`Waiting for gdb connection on device 'tcp:127.0.0.1:${port}'`);
    expect(existsSync(path)).toBe(false);

    const taken = await listening();
    expect(await answer(`gdbserver tcp::${taken.port}`)).toContain(
      `Error: gdbserver tcp:127.0.0.1:${taken.port}: Failed to bind socket to 127.0.0.1:${taken.port}: Address already in use: end what`,
    );
    expect(await answer('gdbserver unix:/no/folder,server=on')).toContain('No such file or directory: there is no folder /no');
    taken.server.close();
    expect(await rip(`:${port}`)).toMatch(/rip +0x/);
    // The same address again is not a conflict.
    expect(await answer(`gdbserver tcp::${port}`)).toContain('Waiting for gdb connection');
    expect(await rip(`:${port}`)).toMatch(/rip +0x/);
    expect(await answer('gdbserver none')).toContain('Disabled gdbserver');
    await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toThrow('ECONNREFUSED');

    const ended = once(lab, 'close');
    lab.stdin.end('quit\n');
    expect((await ended)[0]).toBe(0);
  });
});
