// npm start: sets up what is missing, builds, serves, prints the address and nothing else that went as it should.
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { choosePort, USUAL } from './port.mjs';
import { setup } from './setup.mjs';
import { main, must, root, say } from './steps.mjs';

/** Vite's server announces itself with its version, a key to press and one line an address: only the addresses matter. */
function serve(vite, args) {
  return new Promise((done, fail) => {
    // Started as node, not through npx: a killed npx leaves its server behind.
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
  // Before all that takes minutes: a port that was named may be in use.
  await choosePort(args);
  await setup({ quiet: true });
  const vite = resolve(root, 'node_modules/vite/bin/vite.js');
  say('building the page');
  await must(process.execPath, [vite, 'build', '--logLevel', 'error']);
  const port = await choosePort(args);
  if (!args.some((each) => each.startsWith('--port')) && port !== USUAL)
    say(`port ${USUAL} is in use: the address is another one, for which the browser keeps snapshots of its own`);
  return serve(vite, [...args, '--port', `${port}`]);
});
