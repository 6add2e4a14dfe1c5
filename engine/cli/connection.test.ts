import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import type { Monitor } from '../monitor/index';
import { FlagError } from './chardev-flag';
import { type Connection, openChardev, type Stdio } from './connection';
import { serveMonitor } from './monitor-session';

const folder = mkdtempSync(join(tmpdir(), 'lab-chardev-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function streams(): { stdio: Stdio; input: PassThrough; output: () => string; errors: string[] } {
  const input = new PassThrough();
  const stdout = new PassThrough();
  let text = '';
  stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const errors: string[] = [];
  const stdio = { stdin: input, stdout, stderr: { write: (line: string) => errors.push(line) } } as unknown as Stdio;
  return { stdio, input, output: () => text, errors };
}

/** Everything received from a socket, up to `wanted`. */
async function until(socket: Socket, wanted: string): Promise<string> {
  let text = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += (chunk as Buffer).toString();
    if (text.includes(wanted)) return text;
  }
  throw new Error(`the peer ended after ${JSON.stringify(text)}`);
}

/** Bytes received so far; 0: none. */
function readNow(file: number, into: Buffer): number {
  try {
    return readSync(file, into);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}

/** Answers each line with its length; "slow" takes its time. */
const monitor = {
  banner: 'hello\n',
  execute: async (line: string) => {
    if (line === 'slow') await new Promise((resolve) => setImmediate(resolve));
    return line === '' ? '' : `${line}: ${line.length}\n`;
  },
} as unknown as Monitor;

describe('unix socket', () => {
  it('serves one client after the other and removes its file', async () => {
    const path = join(folder, 'echo');
    const opened = await openChardev('-serial', { kind: 'unix', path, wait: false }, streams().stdio);
    await opened.ready;
    opened.onConnection((connection) => connection.onData((bytes) => connection.send(Buffer.concat([Buffer.from('>'), bytes]))));
    const first = connect(path);
    first.write('one');
    expect(await until(first, 'one')).toBe('>one');
    const second = connect(path);
    second.write('two');
    first.write('more');
    expect(await until(first, 'more')).toBe('>more');
    first.end();
    expect(await until(second, 'two')).toBe('>two');
    second.destroy();
    opened.close();
    expect(existsSync(path)).toBe(false);
  });

  it('waits for its first client with wait=on', async () => {
    const path = join(folder, 'wait');
    const { stdio, errors } = streams();
    const opened = await openChardev('-qmp', { kind: 'unix', path, wait: true }, stdio);
    expect(errors).toEqual([`lab: waiting for a client on -qmp unix:${path}\n`]);
    const client = connect(path);
    await opened.ready;
    client.destroy();
    opened.close();
  });

  it('replaces a socket that was left behind, but nothing else', async () => {
    const path = join(folder, 'stale');
    const before = await openChardev('-serial', { kind: 'unix', path, wait: false }, streams().stdio);
    const again = await openChardev('-serial', { kind: 'unix', path, wait: false }, streams().stdio);
    again.close();
    before.close();
    writeFileSync(path, 'mine');
    const opening = openChardev('-serial', { kind: 'unix', path, wait: false }, streams().stdio);
    await expect(opening).rejects.toThrow(
      new FlagError(`-serial unix:${path}: Failed to bind socket to ${path}: Address already in use: it is not a socket`),
    );
    expect(readFileSync(path, 'utf8')).toBe('mine');
  });

  it('reports why it cannot listen', async () => {
    const path = join(folder, 'no/such/folder');
    const opening = openChardev('-monitor', { kind: 'unix', path, wait: false }, streams().stdio);
    const why = `No such file or directory: there is no folder ${join(folder, 'no/such')}`;
    await expect(opening).rejects.toThrow(`-monitor unix:${path}: Failed to bind socket to ${path}: ${why}`);
  });
});

describe('TCP port', () => {
  const open = (host: string, port: number) => openChardev('-gdb', { kind: 'tcp', host, port, wait: false }, streams().stdio);

  it('is served; if another program listens there, it is refused with a remedy', async () => {
    const taken = createServer();
    await new Promise<void>((done) => void taken.listen(0, '127.0.0.1', done));
    const { port } = taken.address() as AddressInfo;
    const failed = `-gdb tcp:127.0.0.1:${port}: Failed to bind socket to 127.0.0.1:${port}: `;
    await expect(open('127.0.0.1', port)).rejects.toThrow(
      new FlagError(`${failed}Address already in use: end what listens there, or give another port`),
    );
    await new Promise((done) => taken.close(done));
    const opened = await open('127.0.0.1', port);
    opened.onConnection((connection) => connection.send('hello'));
    const socket = connect(port, '127.0.0.1');
    expect(await until(socket, 'hello')).toBe('hello');
    socket.destroy();
    opened.close();
  });

  it('needs an address of this machine', async () => {
    // TEST-NET-1 (RFC 5737) is never assigned.
    await expect(open('192.0.2.1', 0)).rejects.toThrow('no network interface here has this address; 0.0.0.0 is all of them');
  });
});

describe('file', () => {
  it('holds what was sent, from the start', async () => {
    const path = join(folder, 'out');
    writeFileSync(path, 'older and longer text');
    const opened = await openChardev('-debugcon', { kind: 'file', path }, streams().stdio);
    opened.onConnection((connection) => {
      for (const char of 'bytes') connection.send(Uint8Array.of(char.charCodeAt(0)));
      connection.send('\n');
    });
    opened.close();
    expect(readFileSync(path, 'utf8')).toBe('bytes\n');
  });

  it('may be a FIFO: a slow reader loses nothing', async () => {
    const path = join(folder, 'fifo');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { stdio, errors } = streams();
    const opened = await openChardev('-serial', { kind: 'file', path }, stdio);
    const sent = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    opened.onConnection((connection) => {
      for (let at = 0; at < sent.length; at += 1000) connection.send(sent.subarray(at, at + 1000));
    });
    const got: Buffer[] = [];
    for (let length = 0; length < sent.length; ) {
      const chunk = Buffer.alloc(70_000);
      const count = await new Promise<number>((done) => setImmediate(() => done(readNow(reader, chunk))));
      got.push(chunk.subarray(0, count));
      length += count;
    }
    expect(Buffer.concat(got).equals(sent)).toBe(true);
    closeSync(reader);
    opened.onConnection((connection) => {
      connection.send('nobody');
      connection.send('hears this');
    });
    opened.close();
    expect(errors).toEqual([`lab: -serial file:${path}: Broken pipe: output is dropped\n`]);
  });

  it('says why it cannot be written', async () => {
    const opening = openChardev('-serial', { kind: 'file', path: '/nope/x' }, streams().stdio);
    await expect(opening).rejects.toThrow("-serial file:/nope/x: Could not open '/nope/x': No such file or directory");
  });
});

describe('monitor on a pipe', () => {
  async function session(feed: (input: PassThrough) => void, alive = () => true): Promise<string> {
    const { stdio, input, output } = streams();
    const opened = await openChardev('-monitor', { kind: 'stdio' }, stdio);
    let connection: Connection | undefined;
    opened.onConnection((peer) => {
      connection = peer;
    });
    await new Promise<void>((ended) => {
      serveMonitor(monitor, connection!, { alive, ended });
      feed(input);
    });
    return output();
  }

  it('answers in order, with a prompt after each answer and no echo', async () => {
    const text = await session((input) => {
      input.write('slow\nab');
      input.write('c\r\n\n');
      input.end();
    });
    expect(text).toBe('hello\n(lab) slow: 4\n(lab) abc: 3\n(lab) (lab) ');
  });

  it('accepts a last line without a newline, and characters that arrive in pieces', async () => {
    const umlaut = Buffer.from('\u00e4');
    const text = await session((input) => {
      input.write(umlaut.subarray(0, 1));
      input.write(umlaut.subarray(1));
      input.end();
    });
    expect(text).toBe('hello\n(lab) \u00e4: 1\n(lab) ');
  });

  it('prints no prompt once lab is leaving', async () => {
    let alive = true;
    const quitting = {
      ...monitor,
      execute: async () => {
        alive = false;
        return '';
      },
    } as unknown as Monitor;
    const { stdio, input, output } = streams();
    const opened = await openChardev('-monitor', { kind: 'stdio' }, stdio);
    await new Promise<void>((ended) => {
      opened.onConnection((connection) => serveMonitor(quitting, connection, { alive: () => alive, ended }));
      input.end('quit\ninfo status\n');
    });
    expect(output()).toBe(`${monitor.banner}(lab) `);
  });
});
