/** HMP on a pipe or socket: a line arrives, its output is sent, then the prompt. No echo, no editing. */
import { StringDecoder } from 'node:string_decoder';
import type { Monitor } from '../monitor/index';
import { PROMPT } from '../monitor/index';
import type { Connection } from './connection';

/** A peer that sends no newline within this many characters is disconnected. */
const MOST_PENDING = 1 << 20;

export interface SessionHooks {
  /** False once lab is ending: no prompt follows a command then. */
  alive: () => boolean;
  /** The peer has disconnected and every line from it was answered. */
  ended: () => void;
}

/** Shows text that no command asked for. */
export interface Session {
  print(text: string): void;
}

export function serveMonitor(monitor: Monitor, connection: Connection, hooks: SessionHooks): Session {
  const decoder = new StringDecoder('utf8');
  let pending = '';
  let answers = Promise.resolve();
  const answer = (line: string): void => {
    answers = answers.then(async () => {
      if (!hooks.alive()) return;
      const output = await monitor.execute(line);
      if (hooks.alive()) connection.send(output + PROMPT);
      else connection.send(output);
    });
  };
  connection.send(monitor.banner + PROMPT);
  connection.onData((bytes) => {
    pending += decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    const lines = pending.split('\n');
    pending = lines.pop()!;
    if (pending.length > MOST_PENDING) pending = '';
    for (const line of lines) answer(line.replace(/\r$/, ''));
  });
  connection.onEnd(() => {
    if (pending.trim() !== '') answer(pending);
    answers = answers.then(hooks.ended);
  });
  return { print: (text) => connection.send(text.endsWith('\n') ? text : `${text}\n`) };
}
