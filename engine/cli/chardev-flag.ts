/** CHARDEV, in the syntax of QEMU's -serial, -monitor and -qmp. */
import { splitCommas } from '../monitor/opts';

export type Chardev =
  | { kind: 'stdio' }
  | { kind: 'null' }
  /** Output only; an existing file is emptied. */
  | { kind: 'file'; path: string }
  /** A socket to listen on, one client at a time. wait: the machine starts when the first client has connected. */
  | { kind: 'unix'; path: string; wait: boolean }
  /** The same on a TCP port. */
  | { kind: 'tcp'; host: string; port: number; wait: boolean };

/** A wrong flag: the message is one line that names the value and the accepted ones. */
export class FlagError extends Error {}

/** Bytes of sun_path in struct sockaddr_un, without the final zero. Node would truncate a longer path. */
const MOST_SOCKET_PATH = 107;

const FORMS = 'stdio, null, file:PATH or unix:PATH,server=on,wait=off';
const GDB_FORMS = 'tcp::PORT, tcp:HOST:PORT, unix:PATH,server=on,wait=off or stdio';

export function parseChardev(flag: string, text: string): Chardev {
  if (text === 'stdio' || text === 'null') return { kind: text };
  if (text.startsWith('file:')) return { kind: 'file', path: neededPath(flag, text, text.slice('file:'.length)) };
  if (text.startsWith('unix:')) return parseUnix(flag, text);
  throw new FlagError(`${flag} ${text}: '${text}' is not a valid char driver; give ${FORMS}`);
}

function neededPath(flag: string, text: string, path: string, forms = FORMS): string {
  if (path === '') throw new FlagError(`${flag} ${text}: the path is missing; give ${forms}`);
  return path;
}

/**
 * -gdb and `gdbserver`: listens for a debugger. As in QEMU, tcp:HOST:PORT needs no server=on, and nothing waits for a client; without a HOST it
 * listens on the loopback interface only.
 */
export function parseGdb(flag: string, text: string): Chardev {
  if (text === 'stdio' || text === 'null') return parseChardev(flag, text);
  if (text.startsWith('unix:')) return parseUnix(flag, text, GDB_FORMS);
  const match = /^tcp:(\[[0-9a-fA-F:.]+\]|[^:,[\]]*):([^,]*)((?:,.*)?)$/.exec(text);
  const wrong = (reason: string): FlagError => new FlagError(`${flag} ${text}: ${reason}`);
  if (!match) throw wrong(`'${text}' is not a valid char driver; give ${GDB_FORMS}`);
  const [, host = '', digits = '', options = ''] = match;
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 65536;
  if (port > 65535) throw wrong(`port '${digits}' is not a number from 0 to 65535`);
  let wait = false;
  for (const option of options === '' ? [] : splitCommas(options.slice(1))) {
    const known = /^(server|wait|nodelay|nowait)(=(on|off))?$/.exec(option);
    if (!known) throw wrong(`Invalid parameter '${option.split('=')[0]}'; a socket takes server=on, wait=on|off and nodelay=on`);
    if (known[1] === 'server' && known[3] === 'off') throw wrong('only listening sockets are supported; remove server=off');
    if (known[1] === 'wait') wait = known[3] !== 'off';
  }
  return { kind: 'tcp', host: host.replace(/^\[|\]$/g, '') || '127.0.0.1', port, wait };
}

function parseUnix(flag: string, text: string, forms?: string): Chardev {
  const [path = '', ...options] = splitCommas(text.slice('unix:'.length));
  neededPath(flag, text, path, forms);
  const bytes = Buffer.byteLength(path);
  if (bytes > MOST_SOCKET_PATH)
    throw new FlagError(
      `${flag} ${text}: UNIX socket path '${path}' is too long: it has ${bytes} bytes, at most ${MOST_SOCKET_PATH} are possible`,
    );
  const values = new Map<string, boolean>([
    ['server', false],
    ['wait', true],
  ]);
  for (const option of options) {
    const [name = '', value] = option.split('=', 2);
    if (!values.has(name)) throw new FlagError(`${flag} ${text}: Invalid parameter '${name}'; a socket takes server=on and wait=on|off`);
    if (value !== 'on' && value !== 'off') throw new FlagError(`${flag} ${text}: Parameter '${name}' expects 'on' or 'off'`);
    values.set(name, value === 'on');
  }
  if (!values.get('server')) throw new FlagError(`${flag} ${text}: only listening sockets are supported; add server=on`);
  return { kind: 'unix', path, wait: values.get('wait')! };
}
