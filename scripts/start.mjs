// npm start: sets up what is missing, builds, serves, and prints only the address unless something is wrong.
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { choosePort, USUAL } from './port.mjs';
import { setup } from './setup.mjs';
import { main, must, root, say } from './steps.mjs';

/** Vite's server prints its version, a key to press and one line per address: only the addresses matter. */
function serve(vite, args) {
  return new Promise((done, fail) => {
    // Started with node rather than npx: a killed npx leaves its server running.
    const options = { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' } };
    const server = spawn(process.execPath, [vite, 'preview', ...args], options);
    let rest = '';
    server.stdout.on('data', (chunk) => {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const address = /https?:\/\/\S+/.exec(line)?.[0];
        if (address) console.log(`memslot-lab: ${address}`);
      }
    });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => server.kill(signal));
    server.on('error', fail);
    server.on('exit', (code) => done(code ?? 0));
  });
}

await main(async () => {
  const args = process.argv.slice(2);
  // Check the port before the steps that take minutes.
  await choosePort(args);
  await setup({ quiet: true });
  const vite = resolve(root, 'node_modules/vite/bin/vite.js');
  say('building the page');
  await must(process.execPath, [vite, 'build', '--logLevel', 'error']);
  const port = await choosePort(args);
  if (!args.some((each) => each.startsWith('--port')) && port !== USUAL)
    say(`port ${USUAL} is in use: the address differs, and the browser keeps separate snapshots for it`);
  return serve(vite, [...args, '--port', `${port}`]);
});
