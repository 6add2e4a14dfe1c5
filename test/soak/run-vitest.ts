import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** ms: practically unlimited */
const TIMEOUT = 7_200_000;

/** Runs test files with a different environment than `npm test`, reporting each test. Resolves to vitest's exit status. */
export function runVitest(args: readonly string[], env: Record<string, string>, say: (text: string) => void): Promise<number> {
  const options = ['run', '--reporter=verbose', `--testTimeout=${TIMEOUT}`, ...args];
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', ...options], {
      cwd: root,
      env: { ...process.env, ...env, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      // Tests that the pattern excludes are listed as skipped; do not report them.
      for (const line of text.split('\n')) if (line.trim() !== '' && !line.includes('↓')) say(line.trimEnd());
    });
    child.on('error', fail);
    child.on('exit', (code) => done(code ?? 1));
  });
}
