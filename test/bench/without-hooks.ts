/**
 * This project's core and engine without what the trace, or also debuggers and checkpoints, have in them: what that costs while it is not
 * used can be measured only beside it. A copy of the sources in build/cores, with the hooks taken out, kept as long as the sources are the same.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { BUILD } from './files';

const root = resolve(BUILD, '..');
const PARTS = ['engine', 'scripts', 'test/bench', 'asconfig.json', 'package.json', 'tsconfig.json'];

/** File, a text that it has, how often, and what is there instead. */
type Hook = readonly [file: string, text: string, times: number, instead: string];

/** Exceptions, the code that makes an access, and where a vCPU leaves. */
const TRACE: readonly Hook[] = [
  ['engine/cpu/events.ts', 'let tracing: bool = false;', 1, 'const tracing: bool = false;'],
  ['engine/cpu/events.ts', '  tracing = on != 0;\n', 1, ''],
  ['engine/cpu/stops.ts', '  store<u32>(cpu, <u32>p, VCPU_RECORD_AT);\n', 1, ''],
  ['engine/cpu/stops.ts', '  store<u32>(cpu, 0, VCPU_RECORD_AT);\n', 2, ''],
  ['engine/machine/executor.ts', '    const { tracer } = this;\n    const at = tracer ? vcpu.now() : 0;\n', 1, ''],
  [
    'engine/machine/executor.ts',
    '    if (tracer) {\n      const ran = vcpu.icount !== before;\n      if (ran) tracer.entered(vcpu, at);\n' +
      '      // A vCPU that stays halted has not left again.\n      if (ran || reason !== EXIT_HLT) tracer.left(vcpu, reason);\n    }\n',
    1,
    '',
  ],
];
/** Nothing is ever armed, and no checkpoint wants to know which pages change: the compiler drops every check. */
const DEBUGGER: readonly Hook[] = [
  ['engine/cpu/watch.ts', 'export let armed: u32 = 0;', 1, 'export const armed: u32 = 0;'],
  ['engine/cpu/watch.ts', '  const before = armed;\n  armed = 0;\n', 1, '  const before: u32 = 0;\n'],
  ['engine/cpu/watch.ts', 'armed |= guestArms(blockOf(vcpu));', 1, 'guestArms(blockOf(vcpu));'],
  ['engine/cpu/watch.ts', 'armed |= watchArms(watchAt(index));', 1, 'watchArms(watchAt(index));'],
  ['engine/cpu/track.ts', 'export let tracking: bool = false;', 1, 'export const tracking: bool = false;'],
  ['engine/cpu/track.ts', '  tracking = on;\n', 1, ''],
];
const WITHOUT = { trace: TRACE, hooks: [...TRACE, ...DEBUGGER] } as const;

function hashOfSources(hooks: readonly Hook[]): string {
  const hash = createHash('sha256').update(JSON.stringify(hooks));
  for (const folder of ['engine', 'scripts'])
    for (const path of (readdirSync(join(root, folder), { recursive: true }) as string[]).toSorted())
      if (/\.(ts|mjs|json)$/.test(path) && !path.includes('generated')) hash.update(path).update(readFileSync(join(root, folder, path)));
  hash.update(readFileSync(join(root, 'test/bench/lab.ts')));
  return hash.digest('hex').slice(0, 10);
}

/**
 * Path of the core; its engine lies in the same checkout (buildOf).
 * @throws Error with one line where a hook is not where this file says
 */
export function coreWithout(what: keyof typeof WITHOUT): string {
  const folder = join(BUILD, 'cores', `without-${what}-${hashOfSources(WITHOUT[what])}`);
  const core = join(folder, 'build/core.wasm');
  if (existsSync(core)) return core;
  console.error(`building a core without ${what}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const part of PARTS) cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const [file, text, times, instead] of WITHOUT[what]) {
    const path = join(folder, file);
    const parts = readFileSync(path, 'utf8').split(text);
    if (parts.length !== times + 1) throw new Error(`${file} has ${JSON.stringify(text)} ${parts.length - 1} times, not ${times}`);
    writeFileSync(path, parts.join(instead));
  }
  const tsx = createRequire(import.meta.url).resolve('tsx/cli');
  execFileSync(process.execPath, [tsx, 'scripts/build-core.ts'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  return core;
}
