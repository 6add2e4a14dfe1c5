import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { choosePort } from './port.mjs';

const busy: Server[] = [];
afterEach(() => {
  for (const server of busy.splice(0)) server.close();
});

/** A port that something listens on. */
function taken(): Promise<number> {
  const server = createServer();
  busy.push(server);
  return new Promise((done) => {
    server.listen(0, 'localhost', () => done((server.address() as { port: number }).port));
  });
}

test('where the usual port is in use, a free one after it is taken', async () => {
  const port = await taken();
  const chosen = await choosePort([], port);
  expect(chosen).toBeGreaterThan(port);
  expect(chosen).toBeLessThan(port + 10);
});

test('a port that was named is taken, or refused with the way out', async () => {
  const port = await taken();
  for (const args of [['--port', `${port}`], [`--port=${port}`]])
    await expect(choosePort(args)).rejects.toThrow(
      `port ${port} is in use: stop the program that listens there, or choose another port with npm start -- --port PORT`,
    );
  await expect(choosePort(['--port', 'x'])).rejects.toThrow('--port x: not a port');
  const free = await choosePort([], port);
  expect(await choosePort(['--port', `${free}`])).toBe(free);
});
