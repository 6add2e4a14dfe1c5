/**
 * `npm run soak [-- NAME...]`: long runs that are too slow for every commit. Without names: all of them.
 * Each reports its progress, and the first failure sets the status to 1.
 */
import { compiled } from './soak/compiled';
import { differential } from './soak/differential';
import { fuzz } from './soak/fuzz';
import { gdb } from './soak/gdb';
import { guestGdb } from './soak/guest-gdb';
import { kvm } from './soak/kvm';
import { kvmModes } from './soak/kvm-modes';
import { kvmSets } from './soak/kvm-sets';
import { links } from './soak/links';
import { linux } from './soak/linux';
import { memslots } from './soak/memslots';
import { memtest } from './soak/memtest';
import { pageMemory } from './soak/page-memory';
import { replay } from './soak/replay';
import { segments } from './soak/segments';
import { selftests } from './soak/selftests';
import type { Soak } from './soak/soak';
import { stepped } from './soak/stepped';
import { svm } from './soak/svm';
import { tiers } from './soak/tiers';
import { tiersLinux } from './soak/tiers-linux';

const soaks: readonly Soak[] = [
  memtest,
  memslots,
  selftests,
  differential,
  compiled,
  tiers,
  tiersLinux,
  segments,
  links,
  fuzz,
  gdb,
  guestGdb,
  replay,
  linux,
  kvm,
  kvmModes,
  kvmSets,
  svm,
  stepped,
  pageMemory,
];

function clock(since: number): string {
  const seconds = Math.floor((performance.now() - since) / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

async function runOne(soak: Soak): Promise<boolean> {
  const start = performance.now();
  const line = (text: string) => console.log(`${clock(start).padStart(6)}  ${soak.name}: ${text}`);
  line(soak.title);
  try {
    line(`ok: ${await soak.run(line)}`);
    return true;
  } catch (error) {
    line(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

async function main(names: string[]): Promise<number> {
  const unknown = names.find((name) => !soaks.some((soak) => soak.name === name));
  if (unknown !== undefined) {
    console.error(`soak: ${unknown}: there is no such run; runs are ${soaks.map((soak) => soak.name).join(', ')}`);
    return 1;
  }
  let failed = 0;
  for (const soak of soaks) {
    if (names.length > 0 && !names.includes(soak.name)) continue;
    if (!(await runOne(soak))) failed++;
  }
  return failed > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
