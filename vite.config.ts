import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';
import { minified } from './scripts/minify.mjs';
import { withoutHydration } from './scripts/never-hydrated.mjs';
import { stampServiceWorker } from './scripts/precache.mjs';
import { shortPrivateNames } from './scripts/private-names.mjs';
import { programId } from './scripts/program.mjs';
import { terminalNames } from './scripts/terminal-names.mjs';

const MEMLAB_IMAGE = 'guests/memlab/memlab.elf';
const SERVED_GUESTS = 'public/guests';

/** memlab is part of the repository, so it is always served; `npm run guests` adds third-party guests. */
function servedGuests(): Plugin {
  return {
    name: 'served-guests',
    configResolved() {
      mkdirSync(SERVED_GUESTS, { recursive: true });
      const served = `${SERVED_GUESTS}/memlab.elf`;
      if (!existsSync(MEMLAB_IMAGE)) {
        if (!existsSync(served)) throw new Error(`${MEMLAB_IMAGE} is missing: run npm run guests`);
      } else if (!existsSync(served) || statSync(served).mtimeMs < statSync(MEMLAB_IMAGE).mtimeMs) {
        copyFileSync(MEMLAB_IMAGE, served);
      }
      const index = `${SERVED_GUESTS}/index.json`;
      const listed: { name: string }[] = existsSync(index) ? JSON.parse(readFileSync(index, 'utf8')) : [];
      if (!listed.some((guest) => guest.name === 'memlab')) {
        writeFileSync(index, JSON.stringify([{ name: 'memlab', kernel: 'memlab.elf' }, ...listed], null, 2));
      }
    },
  };
}

/** Only in the built page: the dev server needs inline scripts. xterm.js writes style elements and attributes, hence 'unsafe-inline' for styles. */
function contentSecurityPolicy(): Plugin {
  const policy = [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    // A link may name machines and replays on any server; on the local computer that may be plain http.
    "connect-src 'self' https: http://localhost:* http://127.0.0.1:*",
    "worker-src 'self'",
    "base-uri 'none'",
    // Svelte's own templates, and the URLs of our workers.
    'trusted-types svelte-trusted-html memslot-lab',
    "require-trusted-types-for 'script'",
    "form-action 'none'",
  ].join('; ');
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: policy }, injectTo: 'head-prepend' },
    ],
  };
}

/** The service worker is a separate file next to index.html, and lists all others. */
function offline(): Plugin {
  let folder = 'dist';
  return {
    name: 'offline',
    apply: 'build',
    configResolved: ({ build }) => {
      folder = build.outDir;
    },
    closeBundle: () => stampServiceWorker(folder),
  };
}

const components = readdirSync('app', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.svelte'))
  .map((path) => path.replaceAll(sep, '/'))
  .sort();

/** The class that scopes a component's styles: its place in the list of components. Svelte's own hashes do not compress. */
function scopeClass({ filename, hash, css }: { filename: string; hash(text: string): string; css: string }): string {
  const place = components.indexOf(relative('app', filename).replaceAll(sep, '/'));
  return place < 0 ? hash(css) : `s${place.toString(36)}`;
}

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

export default defineConfig({
  base: './',
  define: { __LAB_PROGRAM__: JSON.stringify(programId()), __LAB_VERSION__: JSON.stringify(version) },
  plugins: [
    servedGuests(),
    contentSecurityPolicy(),
    terminalNames(),
    withoutHydration(),
    svelte({ compilerOptions: { cssHash: scopeClass } }),
    minified(),
    offline(),
  ],
  // The worker's script holds on purpose what the engine loads late elsewhere.
  worker: {
    format: 'es',
    plugins: () => [shortPrivateNames(), minified()],
    rolldownOptions: { checks: { ineffectiveDynamicImport: false } },
  },
  // 0: a small wasm must stay a file, not become a data: URL that the content security policy refuses.
  build: {
    target: 'es2023',
    sourcemap: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    // One file of styles: a part of the page that comes later is never seen without its own.
    cssCodeSplit: false,
    rolldownOptions: {
      input: { index: 'index.html', sw: 'app/offline/service-worker.ts' },
      output: { entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
  server: { port: 5173 },
  preview: { port: 4173, strictPort: true },
});
