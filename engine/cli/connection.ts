/** Opens a CHARDEV, which provides connections, one at a time. */
import { lstatSync, unlinkSync } from 'node:fs';
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { type Chardev, FlagError } from './chardev-flag';
import { errnoText, listenFailure } from './errno';
import { OutputFile, openForOutput } from './output-file';

/** A peer. Bytes arrive in order; `onEnd` is called once, after the last of them. */
export interface Connection {
  send(data: string | Uint8Array): void;
  onData(listener: (bytes: Uint8Array) => void): void;
  onEnd(listener: () => void): void;
  /** Stops data until `resume`: the peer waits, and nothing is lost. */
  pause(): void;
  resume(): void;
  /** The user's own terminal or pipe: unlike a peer, it cannot connect again. */
  readonly stdio: boolean;
}

/** An open CHARDEV. */
type Open = Omit<Opened, 'chardev'>;

export interface Opened {
  readonly chardev: Chardev;
  /** Called for each peer, perhaps at once for the first. */
  onConnection(listener: (connection: Connection) => void): void;
  /** Resolves when the machine may start as far as this device is concerned. */
  readonly ready: Promise<void>;
  /** Writes pending output and removes what it created. */
  close(): void;
}

/** The process's own streams, passed in so that tests can replace them. */
export interface Stdio {
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: {
    write(text: string): unknown;
    on?(event: 'error', listener: () => void): unknown;
    off?(event: 'error', listener: () => void): unknown;
  };
}

export interface LabProcess extends Stdio {
  env: NodeJS.ProcessEnv;
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
}

/** Most bytes waiting for a peer that does not read; further output is dropped. */
const MOST_UNSENT = 16 * 2 ** 20;

/** Throws a FlagError if the file or socket cannot be created. */
export async function openChardev(flag: string, chardev: Chardev, stdio: Stdio): Promise<Opened> {
  return { chardev, ...(await open(flag, chardev, stdio)) };
}

async function open(flag: string, chardev: Chardev, stdio: Stdio): Promise<Open> {
  switch (chardev.kind) {
    case 'null':
      return { onConnection: () => {}, ready: Promise.resolve(), close: () => {} };
    case 'stdio':
      return fixed(stdioConnection(stdio), () => {});
    case 'file':
      return openFile(flag, chardev.path, stdio);
    case 'unix':
      removeStaleSocket(chardev.path);
      return listen(`${flag} unix:${chardev.path}`, { path: chardev.path }, chardev.path, chardev.wait, stdio);
    case 'tcp': {
      const { host, port, wait } = chardev;
      return listen(`${flag} tcp:${host}:${port}`, { host, port }, `${host}:${port}`, wait, stdio);
    }
  }
}

function fixed(connection: Connection, close: () => void): Open {
  return { onConnection: (listener) => listener(connection), ready: Promise.resolve(), close };
}

function stdioConnection({ stdin, stdout }: Stdio): Connection {
  return {
    stdio: true,
    send: (data) => {
      try {
        stdout.write(data);
      } catch {
        // A full disk: some versions of Node throw, others emit an event, which main.ts handles.
      }
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

function openFile(flag: string, path: string, stdio: Stdio): Open {
  let file: number;
  try {
    file = openForOutput(path);
  } catch (error) {
    throw new FlagError(`${flag} file:${path}: Could not open '${path}': ${errnoText(error)}`);
  }
  const sink = new OutputFile(file, (why) => stdio.stderr.write(`lab: ${flag} file:${path}: ${why}: output is dropped\n`));
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

/** The socket of a killed lab may be replaced; anything else with that name may not. */
function removeStaleSocket(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path);
  } catch {
    // It does not exist: bind reports any other error.
  }
}

async function listen(what: string, at: ListenOptions, name: string, wait: boolean, stdio: Stdio): Promise<Open> {
  const line = new WaitingLine();
  const server = createServer((socket) => line.join(socket));
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(at, done);
  }).catch((error: unknown) => {
    throw new FlagError(`${what}: Failed to bind socket to ${name}: ${listenFailure(error, at)}`);
  });
  if (wait) stdio.stderr.write(`lab: waiting for a client on ${what}\n`);
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

/** Clients of one socket: the first is served, the others wait. */
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
    // An aborted connection counts as an ordinary end.
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
