/** A plain static host for a built page: a folder below a path, without special headers except those that a story adds by file name. */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

export const BASE = '/some/where/lab/';

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};

export interface StaticHost {
  address: string;
  /** Files requested so far, each once, as paths in the folder. */
  readonly served: ReadonlySet<string>;
  /** Serves this folder from now on. */
  serve(folder: string): void;
  close(): void;
}

export async function staticHost(first: string, headers: (name: string) => Record<string, string> = () => ({})): Promise<StaticHost> {
  let folder = first;
  const served = new Set<string>();
  const server: Server = createServer((request, response) => {
    const path = decodeURI((request.url ?? '').split('?')[0] ?? '');
    const name = normalize(path.slice(BASE.length) || 'index.html');
    const file = join(folder, name);
    if (!path.startsWith(BASE) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    served.add(name);
    // A host that does not know wasm serves it as plain bytes.
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', ...headers(name) });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}${BASE}`,
    served,
    serve: (other) => {
      folder = other;
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
