/** Debian's gdb, unmodified, inside the Linux guest: hardware breakpoints, watchpoints, steps and a backtrace of a program that runs beside it. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { type Offer, offered, offeredTree, type Say, Unavailable } from '../../guests/debian';
import { type CpioEntry, cpio, DIRECTORY, EXECUTABLE, FILE } from '../../guests/linux/cpio';
import { GIB, Guest, MIB } from '../guests/harness';
import { Linux, linuxImage, missing } from '../guests/linux';
import { staticProgram } from '../guests/own-program';
import type { Soak } from './soak';

const CACHE = join(import.meta.dirname, '../../.cache/guests');
/** gdb without Python: a tenth of the files. */
const PACKAGE = 'gdb-minimal';
const LOADER = 'lib64/ld-linux-x86-64.so.2';
const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'];
const COMMAND = 'gdb -nx -batch -x /script /debugged 2>&1';
/** Instructions for a session of gdb. */
const LIMIT = 60e9;

const SCRIPT = `set pagination off
set width 0
starti
hbreak add
continue
bt
watch total
continue
continue
stepi
x/i $pc
delete
rwatch total
continue
delete
awatch total
continue
finish
delete
continue
`;

/** What gdb prints on a real processor, without addresses. */
const SEEN = `Program stopped.
Hardware assisted breakpoint 1 at ADDRESS: file debugged.c, line 7.
Breakpoint 1, add (value=1) at debugged.c:7
#0  add (value=1) at debugged.c:7
#1  ADDRESS in main () at debugged.c:12
Hardware watchpoint 2: total
Hardware watchpoint 2: total
Old value = 0
New value = 1
add (value=1) at debugged.c:8
Breakpoint 1, add (value=2) at debugged.c:7
ADDRESS 7 in debugged.c
=> ADDRESS <add+15>: mov    -0x8(%rbp),%rax
Hardware read watchpoint 3: total
Hardware read watchpoint 3: total
Value = 3
add (value=2) at debugged.c:9
Hardware access (read/write) watchpoint 4: total
Hardware access (read/write) watchpoint 4: total
Value = 3
ADDRESS in add (value=3) at debugged.c:7
Hardware access (read/write) watchpoint 4: total
Old value = 3
New value = 6
add (value=3) at debugged.c:8
total 15
[Inferior 1 (process N) exited normally]`.split('\n');

/** The package and every library package that it depends on. */
async function withLibraries(name: string, say: Say): Promise<Offer[]> {
  const found = new Map<string, Offer>();
  const ask = async (wanted: string): Promise<void> => {
    if (found.has(wanted)) return;
    const offer = await offered(wanted, say);
    found.set(wanted, offer);
    for (const depend of offer.depends) if (/^lib|^zlib1g$/.test(depend) && !/-common$|^libc-bin$/.test(depend)) await ask(depend);
  };
  await ask(name);
  return [...found.values()];
}

/** gdb, its loader and the libraries that it is linked with, of a folder of unpacked packages. */
function programAndLibraries(folder: string): CpioEntry[] {
  const files = new Map<string, string>();
  const add = (path: string, file: string): void => {
    if (files.has(path)) return;
    files.set(path, file);
    const { stdout, error } = spawnSync('readelf', ['-d', file], { encoding: 'utf8' });
    if (error) throw new Unavailable('readelf is missing (Debian: apt-get install binutils)');
    for (const [, needed] of stdout.matchAll(/\(NEEDED\).*\[(.*)\]/g)) {
      if (needed === 'ld-linux-x86-64.so.2') continue;
      const library = LIBRARIES.map((path) => join(folder, path, needed!)).find((file) => existsSync(file));
      if (library === undefined) throw new Unavailable(`no package of ${PACKAGE}'s has ${needed}`);
      add(`lib/x86_64-linux-gnu/${needed}`, realpathSync(library));
    }
  };
  add('bin/gdb', join(folder, 'usr/bin/gdb'));
  const loader = LIBRARIES.map((path) => join(folder, path, 'ld-linux-x86-64.so.2')).find((file) => existsSync(file));
  add(LOADER, realpathSync(loader ?? join(folder, LOADER)));
  return [
    ...['lib/x86_64-linux-gnu', 'lib64'].map((path) => ({ path, mode: DIRECTORY })),
    ...[...files].map(([path, file]) => ({ path, mode: EXECUTABLE, data: new Uint8Array(readFileSync(file)) })),
  ];
}

/** What of gdb's output does not depend on compilers, process numbers, and locales and source files that are not there. */
function comparable(output: string): string[] {
  return output
    .replace(/0x[0-9a-f]{5,}/g, 'ADDRESS')
    .replace(/process \d+/g, 'process N')
    .replace(/at \S*debugged\.c/g, 'at debugged.c')
    .replace(/file \S*debugged\.c/g, 'file debugged.c')
    .replace(/\bin \S*\/debugged\.c/g, 'in debugged.c')
    .replaceAll('\t', ' ')
    .split('\n')
    .filter(
      (line) =>
        line !== '' &&
        !/^ADDRESS in _start|^Run till exit|^warning: |^This normally should not|^\d+ in debugged\.c|No such file/.test(line),
    );
}

export const guestGdb: Soak = {
  name: 'guest-gdb',
  title: "Debian's gdb inside the Linux guest, with hardware breakpoints and watchpoints, in both tiers",
  async run(say) {
    if (missing) throw new Error(missing);
    const program = staticProgram('../soak/debugged.c', ['-g', '-O0']);
    if (typeof program === 'string') throw new Error(program);
    const packages = await withLibraries(PACKAGE, say);
    const debuggerFiles = await offeredTree(packages, CACHE, say, programAndLibraries);
    const bytes = debuggerFiles.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
    say(`${PACKAGE} ${packages[0]!.version} and ${debuggerFiles.length - 4} libraries, ${(bytes / 1e6).toFixed(0)} MB`);
    const image = linuxImage();
    const added = cpio([
      ...debuggerFiles,
      { path: 'debugged', mode: EXECUTABLE, data: program },
      { path: 'script', mode: FILE, data: new TextEncoder().encode(SCRIPT) },
    ]);
    const guest = { ...image, initrd: Buffer.concat([image.initrd!, added]) };
    const seen: string[] = [];
    for (const smp of [1, 2]) {
      const options = { ram: 512 * MIB, slots: 8, maxmem: 4 * GIB, smp, guest };
      const linux = await Linux.boot({ ...options, accel: 'jit', bootLimit: 3e9 });
      const saved = linux.machine.snapshot.capture();
      const before = linux.machine.run.instructions;
      const output = linux.sh(COMMAND, LIMIT);
      const lines = comparable(output);
      const wrong = SEEN.findIndex((line, index) => lines[index] !== line);
      if (wrong >= 0)
        throw new Error(`${smp} vCPUs: gdb prints ${JSON.stringify(lines[wrong])}, not ${JSON.stringify(SEEN[wrong])}: ${output}`);
      const ran = linux.machine.run.instructions - before;
      const interpreted = await Guest.boot({ ...options, accel: 'interp' });
      interpreted.machine.snapshot.restore(saved);
      interpreted.type(`${COMMAND}\r`);
      interpreted.machine.run.advance(ran);
      if ((await interpreted.machine.digest()) !== (await linux.machine.digest()))
        throw new Error(`${smp} vCPUs: the interpreter and the JIT end in different digests`);
      const complaints = linux.complaints();
      if (complaints.length > 0) throw new Error(`the kernel complains: ${complaints.join('; ')}`);
      seen.push(`${(ran / 1e6).toFixed(0)} M instructions with ${smp} vCPUs`);
    }
    return `gdb said what it says on a real processor; ${seen.join(', ')}`;
  },
};
