/** The gdb stub on its CHARDEV: -gdb, -s, and the monitor's `gdbserver`. One client at a time; another may follow it. */
import { type GdbHost, GdbSession } from '../debug/index';
import type { Chardev } from './chardev-flag';
import { parseGdb } from './chardev-flag';
import { type Opened, openChardev, type Stdio } from './connection';

/** Default CHARDEV of `gdbserver`, and that of -s. */
export const USUAL_GDB = 'tcp::1234';

/** Can only one of them be open? */
function samePlace(a: Chardev, b: Chardev): boolean {
  if (a.kind === 'tcp' && b.kind === 'tcp') return a.port === b.port;
  if (a.kind === 'unix' && b.kind === 'unix') return a.path === b.path;
  return a.kind === b.kind;
}

export class GdbServer {
  private opened: Opened | undefined;
  private session: GdbSession | undefined;

  constructor(
    private readonly host: GdbHost,
    private readonly stdio: Stdio,
  ) {}

  /** Opens it; `serve` serves clients once the machine exists. Throws a FlagError. */
  static open(chardev: Chardev, stdio: Stdio): Promise<Opened> {
    return openChardev('-gdb', chardev, stdio);
  }

  serve(opened: Opened): void {
    this.opened = opened;
    opened.onConnection((connection) => {
      const session = new GdbSession(this.host, (bytes) => connection.send(bytes));
      this.session = session;
      connection.onData((bytes) => session.receive(bytes));
      connection.onEnd(() => {
        session.close();
        if (this.session === session) this.session = undefined;
      });
    });
  }

  /** `gdbserver [CHARDEV|none]`: returns the line that QEMU prints. Throws with a reason, and then keeps the current server. */
  async command(device = USUAL_GDB): Promise<string> {
    if (device === 'none') {
      this.close();
      return 'Disabled gdbserver\n';
    }
    const chardev = parseGdb('gdbserver', device);
    if (this.opened && samePlace(this.opened.chardev, chardev)) this.close();
    const opened = await openChardev('gdbserver', chardev, this.stdio);
    this.close();
    this.serve(opened);
    return `Waiting for gdb connection on device '${device}'\n`;
  }

  /** `lab` ends. */
  exited(status: number): void {
    this.session?.exited(status);
  }

  close(): void {
    this.session?.close();
    this.session = undefined;
    this.opened?.close();
    this.opened = undefined;
  }
}
