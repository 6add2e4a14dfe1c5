/** HMP on a terminal: line editing, history, tab completion. */
import { createInterface } from 'node:readline';
import { type Monitor, PROMPT } from '../monitor/index';
import type { Stdio } from './connection';
import type { Session, SessionHooks } from './monitor-session';

/** readline's completer: candidates for the word at the end of the line. */
export function completer(monitor: Pick<Monitor, 'complete'>): (line: string) => [string[], string] {
  return (line) => [monitor.complete(line), /\S*$/.exec(line)![0]];
}

export interface Editor extends Session {
  close(): void;
}

export function editMonitor(monitor: Monitor, { stdin, stdout }: Stdio, hooks: SessionHooks & { quit: () => void }): Editor {
  stdout.write(monitor.banner);
  const editor = createInterface({
    input: stdin,
    output: stdout,
    terminal: true,
    prompt: PROMPT,
    historySize: 500,
    completer: completer(monitor),
  });
  let answers = Promise.resolve();
  /** A command is running: the prompt follows it. */
  let busy = 0;
  editor.prompt();
  editor.on('line', (line) => {
    busy++;
    answers = answers.then(async () => {
      if (hooks.alive()) stdout.write(await monitor.execute(line));
      busy--;
      if (hooks.alive() && busy === 0) editor.prompt();
    });
  });
  // As in a shell, Ctrl-C drops the line; on an empty line it ends lab, as in QEMU.
  editor.on('SIGINT', () => {
    if (editor.line.length === 0) hooks.quit();
    else {
      editor.write(null, { ctrl: true, name: 'e' });
      editor.write(null, { ctrl: true, name: 'u' });
    }
  });
  editor.on('close', () => {
    answers = answers.then(hooks.ended);
  });
  return {
    print: (text) => {
      // Prints over the line being typed, which is then shown again below.
      stdout.write(`\r\x1b[K${text.endsWith('\n') ? text : `${text}\n`}`);
      if (busy === 0) editor.prompt(true);
    },
    close: () => {
      // Puts the shell's prompt on a line of its own.
      if (busy === 0) stdout.write('\n');
      editor.close();
    },
  };
}
