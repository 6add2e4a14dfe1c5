/** Opens a CHARDEV: what comes out are connections, one at a time. */
import { closeSync, lstatSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { type Chardev, FlagError } from './chardev-flag';

/** One peer. Bytes come in order; `onEnd` is called once, after the last of them. */
export interface Connection {
  send(data: string | Uint8Array): void;
  onData(listener: (bytes: Uint8Array) => void): void;
  onEnd(listener: () => void): void;
  /** No more data until `resume`: the peer waits, nothing is lost. */
  pause(): void;
  resume(): void;
  /** The person's own terminal or pipe, and not a peer that may come again. */
  readonly stdio: boolean;
}

export interface Opened {
  /** Called for each peer, the first one possibly at once. */
  onConnection(listener: (connection: Connection) => void): void;
  /** Resolved when the machine may start as far as this device is concerned. */
  readonly ready: Promise<void>;
  /** Writes what is left and removes what it made. */
  close(): void;
}

/** The process's own streams, handed in so that tests can bring others. */
export interface Stdio {
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: { write(text: string): unknown };
}

/** A peer that reads nothing for this long a stretch of output loses the rest, bytes. */
const MOST_UNSENT = 16 * 2 ** 20;

/** Throws a FlagError when the file or socket cannot be made. */
export async function openChardev(flag: string, chardev: Chardev, stdio: Stdio): Promise<Opened> {
  switch (chardev.kind) {
    case 'null':
      return { onConnection: () => {}, ready: Promise.resolve(), close: () => {} };
    case 'stdio':
      return fixed(stdioConnection(stdio), () => {});
    case 'file':
      return openFile(flag, chardev.path);
    case 'unix':
      return listen(flag, chardev.path, chardev.wait, stdio);
  }
}

function fixed(connection: Connection, close: () => void): Opened {
  return { onConnection: (listener) => listener(connection), ready: Promise.resolve(), close };
}

function stdioConnection({ stdin, stdout }: Stdio): Connection {
  return {
    stdio: true,
    send: (data) => {
      stdout.write(data);
    },
    onData: (listener) => {
      stdin.on('data', (chunk: Buffer) => listener(chunk));
    },
    onEnd: (listener) => {
      stdin.once('end', listener);
    },
    pause: () => void stdin.pause(),
    resume: () => void stdin.resume(),
  };
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const texts: Record<string, string> = {
    ENOENT: 'No such file or directory',
    EACCES: 'Permission denied',
    EISDIR: 'Is a directory',
    ENOTDIR: 'Not a directory',
    EADDRINUSE: 'Address already in use',
    ENAMETOOLONG: 'File name too long',
  };
  return texts[code ?? ''] ?? message;
}

function openFile(flag: string, path: string): Opened {
  let file: number;
  try {
    file = openSync(path, 'w');
  } catch (error) {
    throw new FlagError(`${flag} file:${path}: Could not open '${path}': ${reason(error)}`);
  }
  const sink = new BufferedFile(file);
  const connection: Connection = {
    stdio: false,
    send: (data) => sink.write(data),
    onData: () => {},
    onEnd: () => {},
    pause: () => {},
    resume: () => {},
  };
  return fixed(connection, () => sink.close());
}

/** Gathers small writes (a debug console sends single bytes) until the thread is free. */
class BufferedFile {
  private parts: Uint8Array[] = [];
  private length = 0;
  private scheduled = false;

  constructor(private readonly file: number) {}

  write(data: string | Uint8Array): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    this.parts.push(bytes);
    this.length += bytes.length;
    if (this.length >= 1 << 16) this.flush();
    else if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => this.flush());
    }
  }

  close(): void {
    this.flush();
    closeSync(this.file);
    this.flush = () => {};
  }

  private flush(): void {
    this.scheduled = false;
    if (this.length === 0) return;
    writeSync(this.file, Buffer.concat(this.parts));
    this.parts = [];
    this.length = 0;
  }
}

/** A socket that a killed lab left behind may be replaced; anything else of that name may not. */
function removeStaleSocket(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path);
  } catch {
    // Nothing there: bind will say what else is wrong.
  }
}

async function listen(flag: string, path: string, wait: boolean, stdio: Stdio): Promise<Opened> {
  removeStaleSocket(path);
  const line = new WaitingLine();
  const server = createServer((socket) => line.join(socket));
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(path, done);
  }).catch((error: unknown) => {
    throw new FlagError(`${flag} unix:${path}: Failed to bind socket to ${path}: ${reason(error)}`);
  });
  if (wait) stdio.stderr.write(`lab: waiting for a client on ${flag} unix:${path}\n`);
  return {
    onConnection: (listener) => line.serve(listener),
    ready: wait ? line.first : Promise.resolve(),
    close: () => stopListening(server, line),
  };
}

function stopListening(server: Server, line: WaitingLine): void {
  line.close();
  // Removes the socket file too.
  server.close();
}

/** Clients of one socket: the first is served, the others wait their turn. */
class WaitingLine {
  readonly first: Promise<void>;
  private came: () => void = () => {};
  private listener: ((connection: Connection) => void) | undefined;
  private current: Socket | undefined;
  private readonly waiting: Socket[] = [];

  constructor() {
    this.first = new Promise((resolve) => {
      this.came = resolve;
    });
  }

  join(socket: Socket): void {
    // An aborted connection is an end like any other.
    socket.on('error', () => {});
    this.waiting.push(socket);
    this.came();
    this.next();
  }

  serve(listener: (connection: Connection) => void): void {
    this.listener = listener;
    this.next();
  }

  close(): void {
    for (const socket of this.waiting) socket.destroy();
    this.current?.end();
    this.current?.unref();
  }

  private next(): void {
    if (this.current || !this.listener) return;
    const socket = this.waiting.shift();
    if (!socket) return;
    this.current = socket;
    socket.once('close', () => {
      this.current = undefined;
      this.next();
    });
    this.listener(socketConnection(socket));
  }
}

function socketConnection(socket: Socket): Connection {
  return {
    stdio: false,
    send: (data) => {
      if (!socket.writable || socket.writableLength > MOST_UNSENT) return;
      socket.write(data);
    },
    onData: (listener) => {
      socket.on('data', (chunk: Buffer) => listener(chunk));
    },
    onEnd: (listener) => {
      socket.once('close', listener);
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  };
}
