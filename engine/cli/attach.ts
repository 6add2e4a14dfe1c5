/** Connects the opened CHARDEVs to the machine: serial line, monitors, QMP, debug console. */
import type { Machine, MachineEvent, SerialConsole } from '../machine/index';
import { TypedInput } from '../machine/index';
import { Monitor, type MonitorEnv, noticeOf, QmpSession } from '../monitor/index';
import type { Connection, Opened, Stdio } from './connection';
import { type Editor, editMonitor } from './line-editor';
import { type Session, serveMonitor } from './monitor-session';
import { SerialFeed } from './serial-feed';
import { terminalKeys } from './terminal-keys';

export interface Desk {
  machine: Machine;
  stdio: Stdio;
  env: MonitorEnv;
  /** Where input for the guest's console goes. */
  serial: Pick<SerialConsole, 'input' | 'onRoom'>;
  makeMonitor(env: MonitorEnv): Monitor;
  wallClock: () => number;
  /** False once lab is ending. */
  alive: () => boolean;
  quit: () => void;
  /** Restores the terminal; called once at the end, in reverse order. */
  atEnd: (undo: () => void) => void;
}

const isTerminal = (desk: Desk, connection: Connection): boolean =>
  connection.stdio && desk.stdio.stdin.isTTY === true && desk.stdio.stdout.isTTY === true;

export function attachSerial(desk: Desk, opened: Opened): void {
  const { machine } = desk;
  const feed = new SerialFeed(desk.serial);
  let current: Connection | undefined;
  machine.serial.onOutput((bytes) => current?.send(bytes));
  opened.onConnection((connection) => {
    current = connection;
    const give = (bytes: Uint8Array): void => feed.give(bytes, connection);
    connection.onData(isTerminal(desk, connection) ? rawTerminal(desk) : give);
    // The guest may still write to stdout after stdin has ended.
    connection.onEnd(() => {
      if (!connection.stdio && current === connection) current = undefined;
    });
  });
}

/** Every key goes to the guest, except the escape Ctrl-A. */
function rawTerminal(desk: Desk): (bytes: Uint8Array) => void {
  const { stdin, stderr } = desk.stdio;
  stdin.setRawMode(true);
  desk.atEnd(() => stdin.setRawMode(false));
  const tell = (text: string): void => void stderr.write(`\r\n${text}\r\n`);
  const keys = terminalKeys({ quit: desk.quit, tell });
  // Never paused: the escape must work even if the guest reads nothing.
  const typed = new TypedInput(desk.serial, tell);
  return (bytes) => typed.give(keys(bytes));
}

export function attachDebugcon(desk: Desk, opened: Opened): void {
  let current: Connection | undefined;
  desk.machine.debugcon.onOutput((byte) => current?.send(Uint8Array.of(byte)));
  opened.onConnection((connection) => {
    current = connection;
    // Input has no destination, but unread input would block the peer.
    connection.onData(() => {});
    connection.onEnd(() => {
      if (!connection.stdio && current === connection) current = undefined;
    });
  });
}

/** Errors of a command whose answer could not include them. Scripts get nothing else between prompts, as in QEMU. */
function isAnswer(event: MachineEvent): boolean {
  if (event.type === 'break' || event.type === 'watch-stop') return true;
  return event.type === 'qmp' && (event.event === 'MEM_UNPLUG_ERROR' || event.event === 'DEVICE_MOVED');
}

/** One monitor for all clients in succession, as QEMU has one per chardev. */
export function attachMonitor(desk: Desk, opened: Opened): void {
  let session: Session | undefined;
  const monitor = desk.makeMonitor({ ...desk.env, print: (text) => session?.print(text) });
  let terminal = false;
  desk.machine.subscribe((event) => {
    const notice = noticeOf(event);
    if (notice !== undefined && (terminal || isAnswer(event))) session?.print(notice);
  });
  opened.onConnection((connection) => {
    const ended = (): void => {
      session = undefined;
      if (connection.stdio) desk.quit();
    };
    const hooks = { alive: desk.alive, ended };
    terminal = isTerminal(desk, connection);
    if (!terminal) {
      session = serveMonitor(monitor, connection, hooks);
      return;
    }
    const editor: Editor = editMonitor(monitor, desk.stdio, { ...hooks, quit: desk.quit });
    session = editor;
    desk.atEnd(() => editor.close());
  });
}

export function attachQmp(desk: Desk, opened: Opened): void {
  const monitor = new Monitor(desk.machine, desk.env);
  opened.onConnection((connection) => {
    const session = new QmpSession(desk.machine, monitor, (text) => connection.send(text), desk.wallClock);
    session.start();
    connection.onData((bytes) => session.receive(bytes));
    connection.onEnd(() => {
      void session.idle().then(() => {
        session.close();
        if (connection.stdio) desk.quit();
      });
    });
  });
}
