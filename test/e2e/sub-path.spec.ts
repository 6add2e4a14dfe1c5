/** The built page from a plain static host, below a path, without any header of ours. */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { expect, test } from './page';

const BASE = '/some/where/lab/';
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};

function staticHost(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = decodeURI((request.url ?? '').split('?')[0] ?? '');
    const file = join(folder, normalize(path.slice(BASE.length) || 'index.html'));
    if (!path.startsWith(BASE) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    // A host that knows no wasm serves it as plain bytes.
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

test('the built page works below a path of a plain static host', async ({ lab }) => {
  const server = await staticHost('dist');
  try {
    const { port } = server.address() as AddressInfo;
    await lab.open(`http://127.0.0.1:${port}${BASE}`);
    expect(await lab.shell('mem')).toMatch(/\S/);
    expect(lab.errors).toEqual([]);
  } finally {
    server.close();
  }
});
