/** Mutated state and replay links and replay files: each is refused with a reason, or is a machine that runs. */
import { createMachine, Runner, TypedInput } from '../../engine/machine/index';
import { CommitLog, Monitor } from '../../engine/monitor/index';
import { testEnv } from '../../engine/monitor/testing';
import { Player } from '../../engine/replay/player';
import { Recorder } from '../../engine/replay/recorder';
import { applyInput } from '../../engine/shell/inputs';
import { linkTo } from '../../engine/shell/sharing';
import { type Asked, makeMachine, type Wanted, wantedBy } from '../../engine/shell/wanted';
import { layoutFormat, packBytesLink, packReplayFile, unpackBytesLink } from '../../engine/snapshot/index';
import { Guest, rootFile } from '../guests/harness';
import { BASE64URL, mutateBytes, mutateCharacters, mutateValues } from '../support/mutations';
import { Random } from '../support/random';

const MIB = 1 << 20;
const CONFIG = { ram: 16 * MIB, slots: 8, maxmem: 2 ** 40, smp: 1, accel: 'interp' } as const;
/** Turns that a mutated replay may take. */
const TURNS = 4;
const guest = { name: 'memlab', kernel: rootFile('guests/memlab/memlab.elf') };
let core: WebAssembly.Module | undefined;

const make = (config: object = {}) => {
  core ??= new WebAssembly.Module(rootFile('build/core.wasm') as Uint8Array<ArrayBuffer>);
  return createMachine({ ...CONFIG, ...config, core, guest, wallClock: () => 0 });
};

export function checkReason(reason: string): void {
  if (reason === '' || /[\r\n]/.test(reason) || reason.length > 1000)
    throw new Error(`the reason is not one clear line: ${JSON.stringify(reason.slice(0, 200))}`);
}

/** A state and a replay with every kind of content. */
async function samples(): Promise<{ kind: 's' | 'r'; content: Uint8Array }[]> {
  const { machine } = new Guest(await make());
  const monitor = new Monitor(machine, testEnv(layoutFormat));
  const recorder = new Recorder(machine, { hold: () => () => {} }, () => {});
  const running = { machine, monitor, commits: monitor.commits, typed: new TypedInput(machine.serial, () => {}) };
  const take = async (input: Parameters<Recorder['take']>[0]) => recorder.take(input, () => applyInput(input, running));
  for (const line of ['object_add memory-backend-ram,id=m1,size=8M', 'device_add pc-dimm,id=d1,memdev=m1', 'memslot_add 40 1T 2M -l']) {
    machine.run.advance(50_000);
    await take({ kind: 'line', line });
  }
  await take({ kind: 'console', text: 'mem\r' });
  await take({ kind: 'stage', action: { do: 'begin' } });
  await take({ kind: 'stage', action: { do: 'stage', edit: { op: 'move', slot: 40, gpa: 2 ** 41 } } });
  await take({ kind: 'stage', action: { do: 'commit', legacy: true } });
  await take({ kind: 'call', method: 'undo' });
  await take({ kind: 'layout', name: 'kept', text: layoutFormat.capture(machine) });
  machine.run.advance(100_000);
  const shared = { machine, recorder, makeFresh: () => make(), linkBase: '', own: false, wallClock: () => 0 };
  const content = async (what: 'state' | 'replay', kind: 's' | 'r') => {
    const unpacked = await unpackBytesLink(kind, (await linkTo(what, shared, { screen: 'lab> ' })).slice(1));
    if (!unpacked.ok) throw new Error(unpacked.reason);
    return { kind, content: unpacked.bytes };
  };
  return [await content('state', 's'), await content('replay', 'r')];
}

/** Changes the head's JSON, or bytes anywhere. */
function mutateContent(content: Uint8Array, random: Random): Uint8Array {
  if (random.below(2) === 0) return mutateBytes(content, random);
  const length = new DataView(content.buffer, content.byteOffset, 4).getUint32(0, true);
  const head = new TextEncoder().encode(mutateValues(new TextDecoder().decode(content.subarray(4, 4 + length)), random));
  const changed = new Uint8Array(4 + head.length + content.length - 4 - length);
  new DataView(changed.buffer).setUint32(0, head.length, true);
  changed.set(head, 4);
  changed.set(content.subarray(4 + length), 4 + head.length);
  return changed;
}

async function mutated({ kind, content }: { kind: 's' | 'r'; content: Uint8Array }, random: Random): Promise<Partial<Asked>> {
  const how = random.below(kind === 'r' ? 4 : 3);
  if (how === 0) return { link: mutateCharacters((await packBytesLink(kind, content, '')).slice(1), random, `${BASE64URL}=.#%<`) };
  if (how < 3) return { link: (await packBytesLink(kind, mutateContent(content, random), '')).slice(1) };
  const file = await packReplayFile(random.below(2) === 0 ? content : mutateContent(content, random));
  return { replay: random.below(2) === 0 ? file : mutateBytes(file, random) };
}

/** Opens the link as the worker does; returns the reason if it is refused. */
async function open(sent: Partial<Asked>): Promise<string | undefined> {
  const message: Asked = { config: CONFIG, guest, ...sent };
  const wanted = await wantedBy(message);
  if (typeof wanted === 'string') return wanted;
  if (wanted.kind === 'nothing') return 'it is not a share link';
  const { machine, reason } = await makeMachine(message, make, wanted);
  if (reason === undefined && wanted.kind === 'replay') await play(machine, wanted);
  machine.run.advance(10_000);
  await machine.digest();
  return reason;
}

async function play(machine: Awaited<ReturnType<typeof make>>, { replay }: Extract<Wanted, { kind: 'replay' }>): Promise<void> {
  const runner = new Runner({ machine, wallClock: () => 0, yieldTurn: async () => {}, setTimer: () => 0, clearTimer: () => {} });
  const env = testEnv(layoutFormat);
  const monitor = new Monitor(machine, env);
  const commits = new CommitLog(machine, () => 0);
  const typed = new TypedInput(machine.serial, () => {});
  const recorder = new Recorder(machine, runner, () => {});
  let now = 0;
  let turns = 0;
  const player = new Player({
    machine,
    recorder,
    apply: (input) => applyInput(input, { machine, monitor, commits, typed }),
    monotonic: () => (now += 1),
    yieldTurn: async () => {
      if (++turns > TURNS) player.cancel();
    },
    post: () => {},
  });
  await player.play(replay);
  if (env.saved.size > 0 || env.files.size > 0 || env.quits > 0) throw new Error('a replay reached something outside of its machine');
}

export async function openMutated(count: number, seed: number, say: (text: string) => void = () => {}): Promise<string> {
  const random = new Random(seed);
  const all = await samples();
  let accepted = 0;
  for (let n = 1; n <= count; n++) {
    const sent = await mutated(all[n % 2]!, random);
    const reason = await open(sent).catch((error: Error) => {
      throw new Error(`number ${n} of seed ${seed} threw ${error.stack}: ${JSON.stringify(sent).slice(0, 3000)}`);
    });
    if (reason === undefined) accepted++;
    else checkReason(reason);
    if (n % 500 === 0) say(`${n} state and replay links and files, ${accepted} of them still good`);
  }
  return `${count} state and replay links and files, ${count - accepted} refused with a reason, ${accepted} opened`;
}
