/** QEMU's TCG (Debian's qemu-system-x86_64) with the bench image in it. It does not count instructions. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contender, Marks, type Measured } from './contender';

const QEMU = 'qemu-system-x86_64';

/** undefined where it is not installed */
export function qemuVersion(): string | undefined {
  try {
    return /version (\S+)/.exec(execFileSync(QEMU, ['--version'], { encoding: 'utf8' }))?.[1];
  } catch {
    return undefined;
  }
}

export async function startQemu(image: Uint8Array, bits: 32 | 64, cpu = 'qemu64'): Promise<Contender> {
  const folder = mkdtempSync(join(tmpdir(), 'memslot-lab-bench-'));
  const [kernel, path] = [join(folder, 'image'), join(folder, 'serial')];
  writeFileSync(kernel, image);
  const server = createServer();
  const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((listening) => server.listen(path, listening));
  const flags = `-accel tcg -M pc -cpu ${cpu} -m 256M -nodefaults -display none -no-reboot -kernel ${kernel} -serial unix:${path}`;
  const qemu: ChildProcess = spawn(QEMU, flags.split(' '), { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  qemu.stderr?.on('data', (bytes: Buffer) => {
    complaint += bytes;
  });
  const ended = new Promise<never>((_, reject) => {
    qemu.once('error', reject);
    qemu.once('exit', (status) => reject(new Error(`${QEMU} ended with status ${status}: ${complaint.trim()}`)));
  });
  ended.catch(() => undefined);
  const serial = await Promise.race([connected, ended]);
  // The guest polls its serial line, so QEMU is stopped while the others are measured.
  qemu.kill('SIGSTOP');
  const marks = new Marks(() => 0);
  serial.on('data', (bytes: Buffer) => {
    for (const byte of bytes) marks.byte(byte);
  });
  return {
    name: `QEMU TCG, ${bits}-bit`,
    async run(letter) {
      const done = new Promise<Measured>((finish) => marks.expect(finish));
      qemu.kill('SIGCONT');
      serial.write(letter);
      const measured = await Promise.race([done, ended]);
      qemu.kill('SIGSTOP');
      return measured;
    },
    async close() {
      qemu.kill('SIGKILL');
      serial.destroy();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
