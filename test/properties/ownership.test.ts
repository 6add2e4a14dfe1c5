/** Random backings, devices and slots on a machine, made by typed monitor lines and compared with the naive ownership model. */
import { expect, it } from 'vitest';
import { MEMHP_PORT } from '../../engine/machine/board';
import type { Machine, MachineState } from '../../engine/machine/index';
import type { MachineParts } from '../../engine/machine/parts';
import { Monitor } from '../../engine/monitor/index';
import { testEnv, testMachine } from '../../engine/monitor/testing';
import { layoutFormat } from '../../engine/snapshot/index';
import { Random } from '../support/random';
import { GRAIN, Ownership, type Slot, type Wish } from './ownership-model';

const MIB = 0x100000;
const RAM = 16 * MIB;
const STEPS = Number(process.env.LAB_SOAK_RUNS ?? 10_000);
const SEED = Number(process.env.LAB_SEED ?? 0x6d656d);
/** Where slots are put: grains from the start of the window for DIMMs. */
const WINDOW = 128 * MIB;
const PLACES = 48;
const NAMES = ['m0', 'm1', 'm2', 'm3', 'm4', 'm5'] as const;
/** The virtio-mem device's place, behind all others, and its size. */
const VMEM = WINDOW + 256 * MIB;
const VMEM_SIZE = 8 * GRAIN;

const REFUSED = /^(Error|entry \d+): /;

class Walk {
  readonly model = new Ownership();
  readonly counts = new Map<string, number>();
  private readonly random: Random;
  private saved: { state: MachineState; slots: Map<number, Slot> } | undefined;
  /** By generation: what was mapped, and which memory it was. */
  private readonly past = new Map<number, string[]>();
  /** The last lines with their answers. */
  readonly trail: string[] = [];

  constructor(
    private readonly machine: Machine,
    private readonly monitor: Monitor,
    seed: number,
  ) {
    this.random = new Random(seed);
    this.model.kept = { start: VMEM, end: VMEM + VMEM_SIZE };
    this.adopt();
    this.remember();
  }

  async step(): Promise<void> {
    const dice = this.random.below(100);
    if (dice < 8) await this.objectAdd();
    else if (dice < 12) await this.objectDel();
    else if (dice < 20) await this.deviceAdd();
    else if (dice < 26) await this.deviceDel();
    else if (dice < 74) await this.edits();
    else if (dice < 88) await this.travel();
    else if (dice < 94) this.virtio();
    else if (dice < 96) await this.layout();
    else if (dice < 97 && this.random.below(5) === 0) this.snapshot();
    else await this.look();
    this.noticeFreed();
    this.compare();
    this.remember();
  }

  /** True when the line was accepted: it printed nothing or no error. */
  private async line(text: string): Promise<boolean> {
    return !REFUSED.test(await this.execute(text));
  }

  private async execute(text: string): Promise<string> {
    const answer = await this.monitor.execute(text);
    this.trail.push(`${text} -> ${answer.trim().split('\n')[0]}`);
    if (this.trail.length > 8) this.trail.shift();
    return answer;
  }

  private count(what: string, ok: boolean): void {
    const key = `${what} ${ok ? 'taken' : 'refused'}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  private async expectLine(what: string, text: string, ok: boolean): Promise<void> {
    expect((await this.line(text)) ? 'taken' : 'refused', text).toBe(ok ? 'taken' : 'refused');
    this.count(what, ok);
  }

  // Backings and devices

  private async objectAdd(): Promise<void> {
    const { model } = this;
    const name = this.random.of(NAMES);
    const size = (1 + this.random.below(4)) * GRAIN;
    const free = !model.backend(name);
    await this.expectLine('object_add', `object_add memory-backend-ram,id=${name},size=${size}`, free);
    if (free) this.own(name, 'backend', this.machine.backends.list().find(({ id }) => id === name)!.hva, size);
  }

  /** Checks newly allocated memory: nothing may use it yet. */
  private own(name: string, kind: 'backend' | 'bare', start: number, size: number): void {
    const { model } = this;
    expect(model.maps(start, size), `${name} is allocated while a slot maps it`).toBe(false);
    const overlapped = model.owners.filter((owner) => owner.start < start + size && start < owner.start + owner.size);
    expect(overlapped.filter(({ kind: each }) => each === 'backend')).toEqual([]);
    model.owners = model.owners.filter((owner) => !overlapped.includes(owner));
    model.owners.push({ name, kind, start, size, since: this.since(start) });
  }

  /** When the machine allocated that memory. */
  private since(start: number): number {
    return this.ranges().find((range) => range.start === start)!.since;
  }

  private ranges(): readonly { start: number; size: number; label: string; since: number }[] {
    const { host } = (this.machine as unknown as { parts: MachineParts }).parts;
    return host.ranges() as ReturnType<Walk['ranges']>;
  }

  /** Bare memory is freed once no slot, edit or undo can use it, never while a slot does. */
  private noticeFreed(): void {
    const { model } = this;
    const kept = new Set(this.ranges().map(({ start, since }) => `${start} ${since}`));
    for (const owner of model.owners.filter(({ start, since }) => !kept.has(`${start} ${since}`))) {
      expect(owner.kind).toBe('bare');
      expect(model.maps(owner.start, owner.size), `${owner.name} was freed while a slot maps it`).toBe(false);
      model.owners.splice(model.owners.indexOf(owner), 1);
    }
  }

  private async objectDel(): Promise<void> {
    const { model } = this;
    const name = this.random.of(NAMES);
    const owner = model.backend(name);
    const busy = model.dimms.some(({ memdev }) => memdev === name);
    const ok = owner !== undefined && !busy && !model.maps(owner.start, owner.size);
    await this.expectLine('object_del', `object_del ${name}`, ok);
    if (ok) model.owners = model.owners.filter((each) => each !== owner);
  }

  private async deviceAdd(): Promise<void> {
    const { model } = this;
    const memdev = this.random.of(NAMES);
    const gpa = this.place();
    const owner = model.backend(memdev);
    const busy = model.dimms.some((dimm) => dimm.memdev === memdev);
    const slot = [0, 1, 2, 3].find((each) => !model.dimms.some((dimm) => dimm.slot === each));
    const ok = owner !== undefined && !busy && slot !== undefined && model.isFree(gpa, owner.size);
    const id = `d${memdev}`;
    await this.expectLine('device_add', `device_add pc-dimm,id=${id},memdev=${memdev},addr=${gpa}`, ok);
    if (!ok) return;
    let free = 0;
    while (this.model.slots.has(free) || free < 5) free++;
    model.slots.set(free, { id: free, gpa, size: owner.size, hva: owner.start, flags: 0 });
    model.dimms.push({ id, memdev, slot });
  }

  /** The guest gives it back at once. */
  private async deviceDel(): Promise<void> {
    const { model, machine } = this;
    if (model.dimms.length === 0) return;
    const dimm = this.random.of(model.dimms);
    await this.expectLine('device_del', `device_del ${dimm.id}`, true);
    machine.ports.write(MEMHP_PORT, 4, dimm.slot);
    machine.ports.write(MEMHP_PORT + 0x14, 1, 8);
    const owner = model.backend(dimm.memdev)!;
    model.takeAway(owner.start, owner.size);
    model.dimms.splice(model.dimms.indexOf(dimm), 1);
  }

  // Edits of slots

  private place(): number {
    return WINDOW + this.random.below(PLACES) * GRAIN;
  }

  private slot(): Slot | undefined {
    const all = [...this.model.slots.values()];
    return all.length === 0 ? undefined : this.random.of(all);
  }

  private async edits(): Promise<void> {
    const staged: { line: string; wishes: Wish[] }[] = [];
    const wanted = this.random.below(3) === 0 ? 2 + this.random.below(2) : 1;
    for (let i = 0; i < wanted; i++) {
      const edit = this.edit(staged.length);
      if (edit) staged.push(edit);
    }
    if (staged.length === 0) return;
    // Conflicts between staged edits are refused while staging; a single one is checked by the commit.
    const ids = staged.flatMap(({ wishes }) => wishes.map(({ id }) => id));
    if (new Set(ids).size < ids.length) return;
    const wishes = staged.flatMap((edit) => edit.wishes);
    const [only] = staged;
    let taken: boolean;
    let how = 'edit';
    if (staged.length === 1 && this.random.below(2) === 0) taken = await this.line(only!.line);
    else {
      expect(await this.line('changeset_begin')).toBe(true);
      for (const { line } of staged) expect(await this.line(line), line).toBe(true);
      how = this.random.of(['commit', 'commit -w', 'commit -l', 'commit -s']);
      if (how === 'commit -s') await this.execute('changeset_check');
      taken = how === 'commit -s' ? await this.stepped() : await this.line(`changeset_${how}`);
    }
    // Without an hva, host memory was allocated when the line was read; only the machine knows where.
    if (taken)
      for (const { id, next } of wishes) {
        if (next?.hva !== 0) continue;
        next.hva = this.machine.memory.memslotById(id)!.userspaceAddr;
        this.own(`bare.${id}`, 'bare', next.hva, next.size);
      }
    // Refused, so the place of that memory is unknown and the model cannot predict anything.
    const known = wishes.every(({ next }) => next?.hva !== 0);
    if (known) {
      const lines = staged.map(({ line }) => line).join('; ');
      expect(taken ? 'taken' : 'refused', `${how}: ${lines}\n${this.trail.at(-1)}`).toBe(this.model.change(wishes) ? 'taken' : 'refused');
    }
    this.count(`${how}${staged.some(({ line }) => line.endsWith(' -f')) ? ' -f' : ''}`, taken);
    if (this.machine.changeSet.open) await this.line('changeset_abort');
  }

  private async stepped(): Promise<boolean> {
    if (!(await this.line('changeset_commit -s'))) return false;
    return !/refused/.test(await this.execute('changeset_step -a'));
  }

  private edit(index: number): { line: string; wishes: Wish[] } | undefined {
    const { random, model } = this;
    const span = random.below(4) === 0;
    const force = span ? ' -f' : '';
    const slot = this.slot();
    const id = 20 + random.below(40);
    const kind = random.below(slot ? 8 : 2);
    if (kind < 2) {
      if (model.slots.has(id)) return undefined;
      const size = (1 + random.below(3)) * GRAIN;
      const gpa = this.place();
      const owner = random.below(3) > 0 && model.owners.length > 0 ? random.of(model.owners) : undefined;
      if (!owner) {
        // A refused edit leaves no known place for its memory, so this one is staged alone and where there is room.
        if (index > 0 || !model.isFree(gpa, size)) return undefined;
        return { line: `memslot_add ${id} ${gpa} ${size}`, wishes: [{ id, next: { id, gpa, size, hva: 0, flags: 0 }, span: false }] };
      }
      const hva = owner.start + random.below(owner.size / GRAIN) * GRAIN;
      return { line: `memslot_add ${id} ${gpa} ${size} ${hva}${force}`, wishes: [{ id, next: { id, gpa, size, hva, flags: 0 }, span }] };
    }
    const of = slot!;
    const wish = (next: Slot | undefined, spans = false): Wish[] => [{ id: of.id, next, span: spans }];
    switch (kind) {
      case 2: {
        const gpa = this.place();
        return { line: `memslot_move ${of.id} ${gpa}`, wishes: wish({ ...of, gpa }) };
      }
      case 3: {
        const size = Math.max(1, of.size / GRAIN + random.below(5) - 2) * GRAIN;
        return { line: `memslot_resize ${of.id} ${size}${force}`, wishes: wish({ ...of, size }, span) };
      }
      case 4: {
        if (of.size === GRAIN || model.slots.has(id)) return undefined;
        const low = (1 + random.below(of.size / GRAIN - 1)) * GRAIN;
        const upper = { ...of, id, gpa: of.gpa + low, hva: of.hva + low, size: of.size - low };
        return {
          line: `memslot_split ${of.id} ${of.gpa + low} ${id}`,
          wishes: [...wish({ ...of, size: low }), { id, next: upper, span: false }],
        };
      }
      case 5: {
        const flags = random.below(2);
        return { line: `memslot_flags ${of.id}${flags ? ' -l' : ''}`, wishes: wish({ ...of, flags }) };
      }
      case 6: {
        const next = [...model.slots.values()].find(
          (each) => each.gpa === of.gpa + of.size && each.hva === of.hva + of.size && each.flags === of.flags,
        );
        if (!next) return this.neighbour(of);
        return {
          line: `memslot_merge ${of.id} ${next.id}${force}`,
          wishes: [...wish({ ...of, size: of.size + next.size }, span), { id: next.id, next: undefined, span: false }],
        };
      }
      default:
        return { line: `memslot_del ${of.id}`, wishes: wish(undefined) };
    }
  }

  /** Moves a slot next to the one that precedes it in host memory, as merges across backings need. */
  private neighbour(of: Slot): ReturnType<Walk['edit']> {
    const next = [...this.model.slots.values()].find((each) => each.id !== of.id && each.hva === of.hva + of.size);
    if (!next) return undefined;
    const gpa = of.gpa + of.size;
    return { line: `memslot_move ${next.id} ${gpa}`, wishes: [{ id: next.id, next: { ...next, gpa }, span: false }] };
  }

  // What goes back and forth

  /** Undo, redo or go-to: if accepted, everything is mapped as it was then, to the same memory. */
  private async travel(): Promise<void> {
    const { commits } = this.monitor;
    const at = Math.max(0, commits.live - 6 + this.random.below(10));
    const dice = this.random.below(4);
    let taken: boolean;
    if (dice === 0) taken = await this.line('undo');
    else if (dice === 1) taken = await this.line('redo');
    else {
      const answer = commits.goTo(at);
      this.trail.push(`go to ${at} -> ${typeof answer === 'string' ? answer : 'done'}`);
      taken = typeof answer !== 'string';
    }
    this.count('travel', taken);
    if (!taken) return;
    this.adopt();
    const { generation } = commits.entries()[commits.live]!;
    const then = this.past.get(generation);
    if (then) expect(this.facts(), `as at generation ${generation}`).toEqual(then);
  }

  private remember(): void {
    const { commits } = this.monitor;
    const entry = commits.entries()[commits.live]!;
    if (!this.past.has(entry.generation)) this.past.set(entry.generation, this.facts());
  }

  /** What is mapped: guest grain, host grain, flags, and which memory that is. */
  private facts(): string[] {
    return [...this.model.mapping()].map(([gpa, at]) => `${gpa} ${at} ${this.model.ownerAt(Number.parseInt(at, 10))?.since}`).sort();
  }

  private virtio(): void {
    const { model, machine, random } = this;
    const { virtio } = (machine as unknown as { parts: MachineParts }).parts;
    const backing = machine.backends.list().find(({ id }) => id === 'vm')!;
    const first = random.below(VMEM_SIZE / GRAIN);
    const count = 1 + random.below(VMEM_SIZE / GRAIN - first);
    const range = { offset: first * GRAIN, size: count * GRAIN };
    const [gpa, hva] = [VMEM + range.offset, backing.hva + range.offset];
    if (random.below(2) === 0) {
      if (model.maps(hva, range.size)) return;
      const free = model.isFree(gpa, range.size);
      const before = model.mapping();
      const outcome = virtio.plug('vm0', range);
      // An adjacent slot with its own memory grows. A person may have put it anywhere, also where another slot is now in the way.
      if (free) expect(outcome).toBe('done');
      this.count('plug', outcome === 'done');
      if (outcome !== 'done') return;
      this.adopt();
      const after = model.mapping();
      for (let at = 0; at < range.size; at += GRAIN) expect(after.get(gpa + at)).toMatch(new RegExp(`^${hva + at} `));
      for (const [at, what] of before) expect(after.get(at)).toBe(what);
      expect(after.size).toBe(before.size + count);
    } else {
      this.count('unplug', true);
      expect(virtio.unplug('vm0', [range])).toBe('done');
      model.takeAway(hva, range.size);
    }
  }

  private async layout(): Promise<void> {
    if (this.random.below(2) === 0) {
      expect(await this.line('layout_save mine')).toBe(true);
      return;
    }
    const before = this.facts();
    const answer = await this.execute('layout_load mine');
    const taken = !answer.startsWith('Error');
    // A machine can always read what it saves, but by now its devices may differ.
    expect(answer).not.toMatch(/bytes into/);
    this.count('layout_load', taken);
    this.adopt();
    if (!taken) expect(this.facts()).toEqual(before);
  }

  private snapshot(): void {
    const { machine, model } = this;
    if (!this.saved || this.random.below(2) === 0) {
      this.saved = { state: machine.snapshot.capture(), slots: new Map(model.slots) };
      return;
    }
    machine.snapshot.restore(this.saved.state);
    this.count('loadvm', true);
    model.slots = new Map(this.saved.slots);
    this.past.clear();
    this.adopt();
  }

  /** Printed text must not name memory that does not exist. */
  private async look(): Promise<void> {
    const sizes = new Map(this.machine.backends.list().map(({ id, size }) => [id, size]));
    for (const [, id, end] of (await this.monitor.execute('info mtree')).matchAll(/@(\S+) [0-9a-f]+-([0-9a-f]+)/g)) {
      const size = sizes.get(id!);
      if (size !== undefined) expect(Number.parseInt(end!, 16)).toBeLessThan(size);
    }
    this.machine.memory.verify();
    expect(await this.line('changeset_begin')).toBe(true);
    expect(await this.line('changeset_abort')).toBe(true);
  }

  // Model and machine

  private machineSlots(): Slot[] {
    const own = this.machine.memory.memslots(0).filter(({ slot }) => slot >= 5);
    return own.map(({ slot: id, baseGfn, npages, userspaceAddr: hva, flags }) => ({
      id,
      gpa: baseGfn * 4096,
      size: npages * 4096,
      hva,
      flags,
    }));
  }

  /** After an operation that the model does not predict: adopts the machine's state. The caller states what must hold. */
  private adopt(): void {
    const { model, machine } = this;
    model.slots = new Map(this.machineSlots().map((slot) => [slot.id, slot]));
    const backends = new Set(machine.backends.list().flatMap(({ id, kind }) => (kind === 'board' ? [] : [id])));
    model.owners = this.ranges().flatMap(({ label: name, ...range }) => {
      const kind = backends.has(name) ? 'backend' : name.startsWith('bare.') ? 'bare' : undefined;
      return kind ? [{ name, kind, ...range }] : [];
    });
    model.dimms = machine.dimms.list().map(({ id, memdev, slot }) => ({ id, memdev, slot }));
  }

  private compare(): void {
    const text = (slots: Iterable<Slot>): string =>
      [...slots]
        .map(({ id, gpa, size, hva, flags }) => `${id}: ${gpa}+${size} ${hva} ${flags}\n`)
        .sort()
        .join('');
    const [machine, model] = [text(this.machineSlots()), text(this.model.slots.values())];
    if (machine !== model) expect(machine).toBe(model);
  }
}

it(`ownership of every byte: ${STEPS} random steps beside the model (LAB_SEED=${SEED})`, async () => {
  const machine = await testMachine({
    ram: RAM,
    slots: 4,
    objects: [{ id: 'vm', size: VMEM_SIZE }],
    virtio: [{ driver: 'virtio-mem', id: 'vm0', memdev: 'vm', addr: VMEM }],
  });
  const walk = new Walk(machine, new Monitor(machine, testEnv(layoutFormat)), SEED);
  for (let step = 0; step < STEPS; step++) {
    try {
      await walk.step();
    } catch (error) {
      throw new Error(`seed ${SEED}, step ${step}: ${(error as Error).message}\n${walk.trail.join('\n')}`, { cause: error });
    }
  }
  const counts = Object.fromEntries([...walk.counts].sort());
  if (process.env.LAB_SOAK_RUNS) console.log(counts);
  for (const what of [
    'edit',
    'commit',
    'commit -w',
    'commit -l',
    'commit -s',
    'travel',
    'edit -f',
    'commit -f',
    'device_add',
    'object_del',
  ])
    for (const how of ['taken', 'refused']) expect(counts[`${what} ${how}`], `${what} ${how}`).toBeGreaterThan(STEPS / 2000);
});
