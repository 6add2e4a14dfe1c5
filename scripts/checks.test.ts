/** Each rule of `npm run check`, broken once. The rule about operation numbers: operations.test.ts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { checkDialect, hideDecorators, sharedLines, showDecorators } from './dialect.mjs';
import { layerBreaches } from './layers.mjs';
import { checkPictures } from './pictured.mjs';
import { projectFiles, untypedFiles } from './typed.mjs';
import { unusedExports } from './unused.mjs';

describe('the layer rule', () => {
  it('reports a circle in any folder, of types as well, by the shortest way round', () => {
    const sources = {
      'engine/cpu/mem.ts': "import { fill } from './mmu';\nimport { pages } from './pages';",
      'engine/cpu/mmu.ts': "import { walk } from './walk';",
      'engine/cpu/walk.ts': "import { exact } from './mem';\nimport { pages } from './pages';",
      'engine/cpu/pages.ts': '',
      'app/lab/lab.ts': "import { Starter } from './starter';",
      'app/lab/starter.ts': "import type { Lab } from './lab';",
    };
    expect(layerBreaches(sources)).toEqual([
      'import circle: engine/cpu/mem.ts -> engine/cpu/mmu.ts -> engine/cpu/walk.ts -> engine/cpu/mem.ts',
      'import circle: app/lab/lab.ts -> app/lab/starter.ts -> app/lab/lab.ts',
    ]);
  });

  it('finds an index file behind its folder, and no circle where a file names only the address of another', () => {
    const through = { 'engine/jit/index.ts': "export * from './jit';", 'engine/jit/jit.ts': "import { x } from '../jit';" };
    expect(layerBreaches(through)).toHaveLength(1);
    const address = { 'app/a.ts': "new URL('./b.ts', import.meta.url);", 'app/b.ts': "import { a } from './a';" };
    expect(layerBreaches(address)).toEqual([]);
  });

  it('reports an import that points upwards', () => {
    const sources = { 'engine/memory/a.ts': "import { b } from '../machine/b';", 'engine/machine/b.ts': '' };
    expect(layerBreaches(sources)).toEqual(['engine/memory/a.ts imports engine/machine/b: engine/memory may not import engine/machine']);
  });
});

describe('lint and format of engine/cpu', () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });
  const status = (text: string): Promise<number> => {
    const mirror = mkdtempSync(join(tmpdir(), 'dialect-'));
    folders.push(mirror);
    return checkDialect({ sources: { 'engine/cpu/x.ts': text }, mirror, options: { stdio: 'ignore' } });
  };
  const CODE = '@inline\nexport function low(value: u64): u32 {\n  return value == 0 ? 1 : <u32>value;\n}\n';

  it('accepts AssemblyScript with its decorators', async () => {
    expect(await status(CODE)).toBe(0);
  });

  it('reports a file that is not formatted, and one with a breach of a lint rule', async () => {
    expect(await status(CODE.replace('  return', ' return'))).toBe(1);
    expect(await status(CODE.replace('value: u64', 'value: u64, other: u64'))).toBe(1);
  });

  it('reports a decorator that shares its line, behind which nothing would be checked', async () => {
    const shared = CODE.replace('@inline\n', '@inline ');
    expect(sharedLines('engine/cpu/x.ts', shared)).toEqual([
      'engine/cpu/x.ts:1 put the decorator on a separate line: @inline export function low(value: u64): u32 {',
    ]);
    expect(await status(shared)).toBe(1);
  });

  it('shows the decorators again as they were', () => {
    const text = `@external('env', 'log')\nexport declare function log(): void;\n\n  @inline\n  // @ not one\n${CODE}`;
    expect(hideDecorators(text)).not.toMatch(/^\s*@/m);
    expect(showDecorators(hideDecorators(text))).toBe(text);
  });
});

it('reports a test that is not type-checked, and leaves AssemblyScript to its own compiler', () => {
  const files = ['engine/cpu/decode.ts', 'engine/cpu/mmu.test.ts', 'engine/memory/slot-set.ts', 'test/soak.ts'];
  expect(untypedFiles(files, { include: ['engine/memory', 'engine/cpu/**/*.test.ts', 'test'] })).toEqual([]);
  expect(untypedFiles(files, { include: ['engine', 'test'], exclude: ['engine/cpu'] })).toEqual([
    'engine/cpu/mmu.test.ts is not type-checked: tsconfig.json includes no folder that holds it',
  ]);
});

it('finds TypeScript files in every folder of the project, whatever its name', () => {
  const top = mkdtempSync(join(tmpdir(), 'lab-typed-'));
  const files = ['vite.config.ts', 'app/main.ts', 'tools/new/loose.test.ts', 'build/a.ts', '.cache/b.ts', 'tools/node_modules/c.ts'];
  for (const file of files) {
    mkdirSync(dirname(join(top, file)), { recursive: true });
    writeFileSync(join(top, file), '');
  }
  expect([...projectFiles(top)].sort()).toEqual(['app/main.ts', 'tools/new/loose.test.ts', 'vite.config.ts']);
  rmSync(top, { recursive: true });
});

it('reports an export that nothing uses', () => {
  const sources = {
    'engine/a.ts': 'export const USED = 1;\nexport function unused(): void {}\nexport const own = 2;\nconsole.log(own);\n',
    'engine/b.ts': "import { USED } from './a';\n",
    'scripts/c.d.mts': 'export function declared(): void;\n',
  };
  expect(unusedExports(sources)).toEqual(['engine/a.ts exports unused, which nothing uses']);
});

describe('pictures', () => {
  const top = mkdtempSync(join(tmpdir(), 'pictures-'));
  afterEach(() => rmSync(top, { recursive: true, force: true }));

  it('are shown by a text, with words, and are there', () => {
    mkdirSync(join(top, 'docs/pictures'), { recursive: true });
    for (const name of ['a.png', 'b.png', 'c.png']) writeFileSync(join(top, 'docs/pictures', name), '');
    writeFileSync(join(top, 'README.md'), '![the page](docs/pictures/a.png) and ![](docs/pictures/b.png)');
    writeFileSync(join(top, 'docs/text.md'), '![a pane](pictures/d.png) ![a badge](https://example.org/e.png)');
    expect(checkPictures(top)).toEqual([
      'README.md: docs/pictures/b.png has no words for those who do not see it',
      'docs/text.md: pictures/d.png is missing',
      'docs/pictures/c.png: no text shows it',
    ]);
  });
});
