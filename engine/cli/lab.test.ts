/** `lab` as a user runs it: a process with flags, pipes and sockets. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'lab-'));
const children = new Set<ChildProcessWithoutNullStreams>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Collects a stream's text and waits for a given text in it. */
class Reader {
  text = '';
  private seen = 0;
  private wake: () => void = () => {};
  private ended = false;

  constructor(stream: Readable) {
    stream.on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
      this.wake();
    });
    stream.on('close', () => {
      this.ended = true;
      this.wake();
    });
  }

  /** The text up to and including `words`, from where the last call ended. */
  async until(words: string): Promise<string> {
    for (;;) {
      const at = this.text.indexOf(words, this.seen);
      if (at >= 0) {
        const text = this.text.slice(this.seen, at + words.length);
        this.seen = at + words.length;
        return text;
      }
      if (this.ended) throw new Error(`ended without ${JSON.stringify(words)} after ${JSON.stringify(this.text.slice(this.seen))}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}

interface Lab {
  child: ChildProcessWithoutNullStreams;
  out: Reader;
  err: Reader;
  status: Promise<number | null>;
}

function lab(...flags: string[]): Lab {
  const child = spawn(process.execPath, [join(root, 'scripts/lab.mjs'), ...flags], {
    cwd: folder,
    env: { ...process.env, XDG_DATA_HOME: folder },
  });
  children.add(child);
  const status = once(child, 'close').then(([code]) => code as number | null);
  return { child, out: new Reader(child.stdout), err: new Reader(child.stderr), status };
}

function client(path: string): { socket: Socket; reader: Reader } {
  const socket = connect(path);
  return { socket, reader: new Reader(socket) };
}

/** A boot sector: 16-bit code at 0x7c00. */
function bootSector(name: string, ...code: number[]): string {
  const bytes = new Uint8Array(512);
  bytes.set(code);
  bytes.set([0x55, 0xaa], 510);
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}
/** mov dx, port; then mov al, byte; out dx, al for each. */
const out = (port: number, ...bytes: number[]): number[] => [0xba, port & 0xff, port >> 8, ...bytes.flatMap((byte) => [0xb0, byte, 0xee])];
const ascii = (text: string): number[] => [...Buffer.from(text)];
const HALT = [0xfa, 0xf4];

describe('lab', { timeout: 60_000 }, () => {
  // A first start builds what is older than its source, and prints messages on stderr.
  beforeAll(async () => {
    const { child, status } = lab('-m', '16M', '-S');
    child.stdin.end();
    expect(await status).toBe(0);
  }, 180_000);

  it('ends with isa-debug-exit’s status; serial and debug console go where their flags say', async () => {
    const kernel = bootSector('exit', ...out(0x3f8, ...ascii('OK\n')), ...out(0xe9, ...ascii('debug')), ...out(0xf4, 0x10), ...HALT);
    const debug = join(folder, 'debug.txt');
    const {
      out: stdout,
      err,
      status,
    } = lab('-kernel', kernel, '-m', '16M', '-serial', 'stdio', '-debugcon', `file:${debug}`, '-device', 'isa-debug-exit,iobase=0xf4');
    expect(await status).toBe(33);
    expect(stdout.text).toBe('OK\n');
    expect(err.text).toBe('');
    expect(readFileSync(debug, 'utf8')).toBe('debug');
  });

  it('input on stdin reaches the guest', async () => {
    // Waits for LSR.DR, reads the byte, writes it back plus one and exits.
    const kernel = bootSector(
      'echo',
      ...[0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf8, 0xba, 0xf8, 0x03, 0xec, 0x40, 0xee],
      ...out(0xf4, 0),
      ...HALT,
    );
    const {
      child,
      out: stdout,
      status,
    } = lab('-kernel', kernel, '-m', '16M', '-serial', 'stdio', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4');
    child.stdin.end('a');
    expect(await status).toBe(1);
    expect(stdout.text).toBe('b');
  });

  it('throttles a sender when the guest has no buffer space, and loses nothing', async () => {
    // Waits for LSR.DR, reads, adds up the bytes in bl and counts them in esi; after 3 MiB it exits with the sum.
    const kernel = bootSector(
      'sum',
      ...[0x66, 0x31, 0xf6, 0x31, 0xdb], // xor esi, esi; xor bx, bx
      ...[0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf8, 0xba, 0xf8, 0x03, 0xec, 0x00, 0xc3], // wait; mov dx, 0x3f8; in al, dx; add bl, al
      ...[0x66, 0x46, 0x66, 0x81, 0xfe, 0x00, 0x00, 0x30, 0x00, 0x75, 0xe7], // inc esi; cmp esi, 3 MiB; jne
      ...[0x88, 0xd8, 0xba, 0xf4, 0x00, 0xee], // mov al, bl; mov dx, 0xf4; out dx, al
      ...HALT,
    );
    const { child, status } = lab('-kernel', kernel, '-m', '16M', '-serial', 'stdio', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4');
    const bytes = Buffer.alloc(3 << 20);
    for (let at = 0; at < bytes.length; at++) bytes[at] = at % 253;
    const sum = bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
    child.stdin.end(bytes);
    expect(await status).toBe(((sum << 1) | 1) & 0xff);
  });

  it('shows the registers of a guest that shuts down, and ends if no monitor could restart it', async () => {
    // An interrupt descriptor table without entries, then int3.
    const kernel = bootSector('triple', 0x31, 0xc0, 0x8e, 0xd8, 0x0f, 0x01, 0x1e, 0x20, 0x7c, 0xcc);
    const { err, status } = lab('-kernel', kernel, '-m', '16M', '-monitor', 'null');
    expect(await status).toBe(1);
    expect(err.text).toContain('lab: the guest shut down by a triple fault; its registers:');
    expect(err.text).toMatch(/EIP=00007c09/);
  });

  it('output to a full disk is dropped and reported once, and the guest keeps running', async () => {
    const kernel = bootSector('full', ...out(0x3f8, ...ascii('serial')), ...out(0xe9, ...ascii('debug')), ...out(0xf4, 0x10), ...HALT);
    const exit = ['-kernel', kernel, '-m', '16M', '-device', 'isa-debug-exit,iobase=0xf4'];
    const disk = join(folder, 'disk');
    symlinkSync('/dev/full', disk);
    const files = lab(...exit, '-monitor', 'null', '-serial', 'file:/dev/full', '-debugcon', `file:${disk}`);
    expect(await files.status).toBe(33);
    const dropped = (flag: string): string => `lab: ${flag}: No space left on device: output is dropped\n`;
    expect(files.err.text.split(/(?<=\n)/).sort()).toEqual([dropped(`-debugcon file:${disk}`), dropped('-serial file:/dev/full')]);

    const full = openSync('/dev/full', 'w');
    const stdout = spawn(process.execPath, [join(root, 'scripts/lab.mjs'), ...exit, '-serial', 'stdio'], {
      stdio: ['ignore', full, 'pipe'],
    });
    const err = new Reader(stdout.stderr as Readable);
    const [status] = await once(stdout, 'close');
    closeSync(full);
    expect(status).toBe(33);
    expect(err.text).toBe(dropped('stdout'));
  });

  it('anything but a regular file is refused at once where a whole file is read or written', async () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo, `${fifo}.mslm`]);
    const refused = async (flags: string[], message: string): Promise<void> => {
      const { err, status } = lab(...flags);
      expect(await status).toBe(1);
      expect(err.text).toBe(message);
    };
    const why = `could not open file '${fifo}': Not a regular file\n`;
    await refused(['-kernel', fifo], `lab: -kernel ${fifo}: ${why}`);
    await refused(['-snapshots', folder, '-loadvm', 'fifo'], 'lab: -loadvm fifo: Not a regular file\n');
    await refused(['-serial', `file:${fifo}`], `lab: -serial file:${fifo}: Could not open '${fifo}': nobody reads from it\n`);

    const { child, out: stdout, status } = lab('-m', '16M', '-S', '-snapshots', folder);
    child.stdin.end(`memsave 0 16 "${fifo}"\nmemsave 0 16 "/dev/full"\ninfo snapshots\n`);
    expect(await status).toBe(0);
    expect(stdout.text).toContain(`Error: could not write file '${fifo}': Not a regular file\n`);
    expect(stdout.text).toContain("Error: could not write file '/dev/full': No space left on device\n");
    expect(stdout.text).toContain('There is no snapshot available.\n');
  });

  it('a monitor on a pipe answers, prompts and quits at the end of input', async () => {
    const { child, out: stdout, err, status } = lab('-m', '64M', '-S');
    child.stdin.end('info status\nfoo\n');
    expect(await status).toBe(0);
    expect(stdout.text).toMatch(
      /^.* monitor - type 'help' for more information\n\(lab\) VM status: paused \(prelaunch\)\n\(lab\) unknown command: 'foo'\n\(lab\) $/,
    );
    expect(err.text).toBe('');
  });

  it.each([
    [['-kernel', '/nope'], "lab: -kernel /nope: could not open file '/nope': No such file or directory\n"],
    [['-guest', 'nope'], /^lab: -guest nope: there is no such prepared guest; there are memlab.*\n$/],
    [['-m', 'foo'], /^lab: -m foo: Parameter 'size' expects .*\n$/],
    [['-kernel', '/etc/passwd'], /^lab: .*passwd.*\n$/],
    [['-device', 'isa-debug-exit,iobase=0x3f8'], /^lab: .*0x3f8.*\n$/],
  ])('%j is one line on stderr and status 1', async (flags, message) => {
    const { out: stdout, err, status } = lab(...flags);
    expect(await status).toBe(1);
    expect(err.text).toMatch(message);
    expect(stdout.text).toBe('');
  });

  it('SIGTERM also ends it while it waits for a client', async () => {
    const path = join(folder, 'never');
    const { child, err, status } = lab('-m', '16M', '-serial', `unix:${path},server=on,wait=on`, '-monitor', 'null');
    await err.until('lab: waiting for a client on -serial');
    child.kill('SIGTERM');
    expect(await status).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it('memlab over sockets: plug a DIMM in the monitor, see it in the guest and in QMP', async () => {
    const path = (name: string): string => join(folder, name);
    const chardev = (name: string): string => `unix:${path(name)},server=on,wait=on`;
    const { child, err, status } = lab(
      '-m',
      '64M,slots=4,maxmem=4G',
      '-serial',
      chardev('s'),
      '-monitor',
      chardev('m'),
      '-qmp',
      chardev('q'),
    );
    for (const name of ['-serial', '-qmp', '-monitor']) await err.until(`lab: waiting for a client on ${name}`);
    const serial = client(path('s'));
    const monitor = client(path('m'));
    const qmp = client(path('q'));
    const command = async (line: string): Promise<string> => {
      monitor.socket.write(`${line}\n`);
      return (await monitor.reader.until('(lab) ')).slice(0, -'(lab) '.length);
    };
    await monitor.reader.until('(lab) ');
    await qmp.reader.until('"capabilities"');
    qmp.socket.write('{"execute": "qmp_capabilities"}');
    await qmp.reader.until('{"return": {}}');
    await serial.reader.until('lab> ');
    expect(await command('object_add memory-backend-ram,id=mem1,size=128M')).toBe('');
    expect(await command('device_add pc-dimm,id=dimm1,memdev=mem1')).toBe('');
    expect(await command('info memory-devices')).toContain('Memory device [dimm]: "dimm1"');
    await serial.reader.until('memory hotplug: DIMM slot 0 at ');
    serial.socket.write('mem\r');
    expect(await serial.reader.until('lab> ')).toContain('128');
    qmp.socket.write('{"execute": "query-memory-devices"}');
    await qmp.reader.until('"return": [{"type": "dimm"');
    await qmp.reader.until('"id": "dimm1"');

    child.kill('SIGTERM');
    expect(await status).toBe(0);
    expect(['s', 'm', 'q'].filter((name) => existsSync(path(name)))).toEqual([]);
  });
});
