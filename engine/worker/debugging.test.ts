/** Debugging by the page's messages: breakpoints, back and forward, who wrote what. memlab is the guest. */
import { afterEach, describe, expect, it } from 'vitest';
import type { DebugView, Journey, JourneyEnd, LabState, ToWorker, WroteView } from './protocol';
import { Page } from './testing';

const DIMM = 0x8000000;
let page: Page;
afterEach(() => page.session.end());

async function booted(): Promise<void> {
  page = new Page();
  page.boot({ config: { ram: 64 * 0x100000, slots: 8, maxmem: 1024 * 0x100000, smp: 1, accel: 'jit' } });
  await page.first('booted');
  await says(/lab> $/);
}

/** The answer; rejects with the refusal. */
async function ask(message: Parameters<Page['ask']>[0]): Promise<unknown> {
  const { value, error } = await page.ask(message);
  if (error !== undefined) throw new Error(error);
  return value;
}
const says = (what: RegExp): Promise<void> => page.holds(() => what.test(page.console));
const view = (): DebugView => {
  const all = page.heard.filter((message) => message.type === 'debug');
  return all.at(-1)!.view;
};
const state = (): LabState => page.state!;
async function type(line: string): Promise<void> {
  const before = page.console.length;
  page.session.receive({ type: 'console', text: `${line}\r` });
  await page.holds(() => /lab> $/.test(page.console.slice(before)));
}
const line = (text: string): Promise<string> => page.monitor(text);
const go = async (journey: Journey): Promise<JourneyEnd> => (await ask({ type: 'go', journey })) as JourneyEnd;
const digest = async (): Promise<string> => (await ask({ type: 'call', method: 'digest' })) as string;
const word = async (gpa: number): Promise<string> => (await line(`xp /1gx ${gpa}`)).trim().split(': ')[1]!;
const runs = (): string => page.machine!.run.state;
const run = async (action: 'stop' | 'cont'): Promise<void> => {
  page.session.receive({ type: 'run', action } satisfies ToWorker);
  await page.holds(() => runs() === (action === 'stop' ? 'paused' : 'running'));
};

/** A replay of this machine ends in another one with the same digest. */
async function replaysTheSame(): Promise<void> {
  const replay = await ask({ type: 'export', what: 'replay' });
  const [there, expected] = [new Page(), await digest()];
  there.boot({ replay: replay as Uint8Array, config: state().config });
  const end = await there.until(() => there.heard.find((message) => message.type === 'replay' && message.view.phase !== 'running'));
  expect(end).toMatchObject({ view: { phase: 'done', digest: expected, expected } });
  await there.session.end();
}

async function plugged(): Promise<void> {
  await line('object_add memory-backend-ram,id=mem1,size=64M');
  await line('device_add pc-dimm,id=dimm1,memdev=mem1');
  await says(/memory hotplug: DIMM slot/);
}

describe('the past in the page', () => {
  it('breaks on a hole, goes back to the commit that made it, and forward again to the same present', async () => {
    await booted();
    await plugged();
    await type(`poke 0x${DIMM.toString(16)} 0x1111`);
    await line('breakpoint_add hole');
    const slot = page.machine!.memory.memslotAt(DIMM / 4096)!.slot;
    await line(`memslot_move ${slot} 0x20000000`);
    const { generation, slots, history } = state();
    page.session.receive({ type: 'console', text: `peek 0x${DIMM.toString(16)}\r` });
    await page.holds(() => view().stop !== undefined);
    expect(view().stop).toMatchObject({ ids: [1], vcpu: 0, gpa: DIMM });
    expect(view().stop?.access).toContain('in the hole at gpa 0x8000000');
    await line('breakpoint_disable 1');
    const present = {
      digest: await digest(),
      count: page.machine!.run.instructions,
      text: page.console,
      holes: page.machine!.inspect.holes.total,
    };

    expect(await go({ do: 'commit', generation })).toBe('there');
    expect(view().past).toMatchObject({ behind: true, present: present.count });
    expect(view().past.now).toBeLessThan(present.count);
    expect(state().slots.find((each) => each.slot === slot)?.guestPhysAddr).toBe(DIMM);
    expect(state().generation).toBeLessThan(generation);
    expect(state().historyAt).toBe(history.length - 2);
    expect(await word(DIMM)).toBe('0x0000000000001111');
    // No other input reaches it there.
    await expect(ask({ type: 'monitor', line: 'memslot_move 5 0x30000000' })).rejects.toThrow('is in its past');

    expect(await go({ do: 'forward' })).toBe('present');
    expect(view().past.behind).toBe(false);
    expect(state()).toMatchObject({ generation, historyAt: history.length - 1 });
    expect(state().slots).toEqual(slots);
    expect({
      digest: await digest(),
      count: page.machine!.run.instructions,
      text: page.console,
      holes: page.machine!.inspect.holes.total,
    }).toEqual(present);
    // Afterwards the guest continues as if it had never gone back; undo works, too.
    await run('cont');
    await page.holds(() => /lab> $/.test(page.console.slice(present.text.length)));
    expect(await line('undo')).not.toContain('Error');
    expect(await word(DIMM)).toBe('0x0000000000001111');
  });

  it('finds the last writer of an address, of a slot, and of memory that has moved since; the guest does not move', async () => {
    await booted();
    await plugged();
    const gpa = DIMM + 0x1008;
    await type(`poke 0x${gpa.toString(16)} 0x1234`);
    const slot = page.machine!.memory.memslotAt(DIMM / 4096)!.slot;
    await line(`memslot_move ${slot} 0x20000000`);
    await type('peek 0x20000000');
    await run('stop');
    const before = await digest();
    for (const where of [{ gpa: 0x20001008, size: 8 }, { slot }] as const) {
      const wrote = (await ask({ type: 'who-wrote', where })) as WroteView;
      expect(wrote.write).toMatchObject({ vcpu: 0, gpa, bytes: 8, value: '0x1234' });
      expect(await digest()).toBe(before);
      expect(view().past.behind).toBe(false);
      const { icount, instructions, rip } = wrote.write!;
      expect(await go({ do: 'instruction', vcpu: 0, icount: icount - 1, instructions: instructions - 1 })).toBe('there');
      expect(`0x${page.machine!.inspect.registers().rip.toString(16)}`).toBe(rip);
      expect(await word(gpa)).toBe('0x0000000000000000');
      await go({ do: 'step', vcpu: 0 });
      expect(await word(gpa)).toBe('0x0000000000001234');
      expect(await go({ do: 'present' })).toBe('present');
      expect(await digest()).toBe(before);
    }
    expect(await line('who_wrote 0x20001008 8')).toContain('0x1234, 8 bytes');
    expect(await line('who_wrote 0x20002000 8')).toContain('nobody since');
    expect(await line('who_wrote 0x7000000000')).toContain('no memslot backs');
    // Writes by the monitor belong to no vCPU. A running guest can be queried as well, and runs on.
    await run('cont');
    await type('peek 0x20000000');
    expect(await line('who_wrote 0x20001008 8')).toContain('0x1234, 8 bytes');
    expect(runs()).toBe('running');
    await type('peek 0x20001008');
    expect(page.console).toMatch(/1234\r\nlab> $/);
  });

  it('steps backward and forward, runs back to a breakpoint, seeks, and starts a new run from there', async () => {
    await booted();
    await type('poke 0x500000 0x77');
    await type('poke 0x500000 0x88');
    await line('breakpoint_add gpa=0x500000,len=8,access=w');
    await run('stop');
    const count = page.machine!.run.instructions;
    expect(await go({ do: 'step-back', vcpu: 0 })).toBe('there');
    expect(page.machine!.run.instructions).toBe(count - 1);
    expect(await go({ do: 'back' })).toBe('there');
    expect(view().stop?.ids).toEqual([1]);
    expect(await word(0x500000)).toBe('0x0000000000000077');
    expect(await go({ do: 'back' })).toBe('there');
    const first = page.machine!.run.instructions;
    expect(await go({ do: 'back' })).toBe('begin');
    expect(page.machine!.run.instructions).toBe(first);
    expect(await go({ do: 'forward' })).toBe('stopped');
    expect(await word(0x500000)).toBe('0x0000000000000077');
    expect(view().breakpoints[0]).toMatchObject({ hits: 1, enabled: true, kind: 'gpa', first: '0x500000' });
    expect(await go({ do: 'count', count: first + 1000 })).toBe('there');
    expect(page.machine!.run.instructions).toBe(first + 1000);
    expect(await go({ do: 'count', count: count + 5 })).toBe('present');
    expect(await go({ do: 'count', count: first + 1000 })).toBe('there');
    expect(await go({ do: 'go-on-from-here' })).toBe('there');
    expect(view().past).toMatchObject({ behind: false, now: first + 1000, present: first + 1000 });
    await line('breakpoint_del all');
    await run('cont');
    await type('poke 0x500000 0x99');
    expect(await word(0x500000)).toBe('0x0000000000000099');
    // A replay of it has only the new run.
    await run('stop');
    const replay = await ask({ type: 'export', what: 'replay' });
    const before = await digest();
    const other = new Page();
    other.boot({ replay: replay as Uint8Array, config: state().config });
    const end = await other.until(() => other.heard.find((message) => message.type === 'replay' && message.view.phase !== 'running'));
    expect(end).toMatchObject({ view: { phase: 'done', digest: before, expected: before } });
    await other.session.end();
  });

  it('goes back over an undo and a redo', async () => {
    await booted();
    await plugged();
    const slot = page.machine!.memory.memslotAt(DIMM / 4096)!.slot;
    await line(`memslot_move ${slot} 0x20000000`);
    page.machine!.checkpoints.take();
    await type('peek 0x500000');
    await line('undo');
    await type('peek 0x500000');
    await line('redo');
    await run('stop');
    const before = await digest();
    const { historyAt, generation } = state();
    await go({ do: 'step-back', vcpu: 0 });
    await go({ do: 'step', vcpu: 0 });
    await go({ do: 'forward' });
    expect(await digest()).toBe(before);
    expect(state()).toMatchObject({ historyAt, generation, canUndo: true });
  });

  it('goes back over inputs that were refused', async () => {
    await booted();
    page.machine!.checkpoints.take();
    await expect(ask({ type: 'call', method: 'undo' })).rejects.toThrow('nothing to undo');
    await ask({ type: 'go-to', index: 7 }).catch(() => {});
    await type('poke 0x500000 0x77');
    await run('stop');
    const before = await digest();
    expect(await line('who_wrote 0x500000')).toMatch(/^vCPU 0 at rip /);
    expect(await go({ do: 'step-back', vcpu: 0 })).toBe('there');
    expect(await go({ do: 'forward' })).toBe('present');
    expect(await digest()).toBe(before);
  });

  it('keeps replay_break over a look at the past, and a run that goes on from there has it too', async () => {
    await booted();
    await run('stop');
    const count = page.machine!.run.instructions + 2000;
    const stops = async (): Promise<void> => {
      await run('cont');
      page.session.receive({ type: 'console', text: 'mem\r' });
      await page.holds(() => runs() === 'paused');
      expect(page.machine!.run.instructions).toBe(count);
    };
    await line(`replay_break ${count}`);
    await line('who_wrote 0x500000');
    await stops();
    const before = await digest();
    expect(await go({ do: 'count', count: count - 1000 })).toBe('there');
    expect(await go({ do: 'forward' })).toBe('present');
    expect(await digest()).toBe(before);
    await run('cont');
    await type('poke 0x500000 0x77');
    await run('stop');
    expect(await go({ do: 'count', count: count - 1000 })).toBe('there');
    expect(await go({ do: 'forward' })).toBe('present');
    expect(await word(0x500000)).toBe('0x0000000000000077');
    expect(await go({ do: 'count', count: count - 1000 })).toBe('there');
    expect(await go({ do: 'go-on-from-here' })).toBe('there');
    await stops();
    await replaysTheSame();
  });

  it('goes back over change sets: each is open, with its edits, when it was', async () => {
    await booted();
    const edits = () => state().changeSet.entries.map(({ edit }) => edit);
    const at = () => page.machine!.run.instructions;
    await line('changeset_begin');
    await line('memslot_flags 3 -l');
    page.machine!.checkpoints.take();
    await type('peek 0x500000');
    const first = [at(), edits()] as const;
    await type('peek 0x500000');
    await line('changeset_commit');
    await type('poke 0x500000 0x77');
    await line('changeset_begin');
    await line('memslot_add 40 1T 2M');
    await run('stop');
    const before = { digest: await digest(), edits: edits() };
    expect(await line('who_wrote 0x500000')).toMatch(/^vCPU 0 at rip /);
    expect({ digest: await digest(), edits: edits() }).toEqual(before);
    expect(await go({ do: 'count', count: first[0] })).toBe('there');
    expect(edits()).toEqual(first[1]);
    expect(await go({ do: 'forward' })).toBe('present');
    expect({ digest: await digest(), edits: edits() }).toEqual(before);
    expect(await line('changeset_commit')).toMatch(/^generation \d+, 1 swap/);
  });

  it('stays in the present while a commit is under way, and begins no checkpoint there', async () => {
    await booted();
    await line('changeset_begin');
    await line('memslot_flags 3 -l');
    await line('changeset_commit -s');
    for (let phase = 0; phase < 3; phase++) await line('changeset_step');
    const { length } = page.machine!.checkpoints.list();
    await run('stop');
    page.machine!.checkpoints.take();
    expect(page.machine!.checkpoints.list()).toHaveLength(length);
    expect(await line('replay_seek 1000')).toMatch(/^Error: a commit is between its phases/);
    expect(await line('who_wrote 0x500000')).toMatch(/^Error: a commit is between its phases/);
    await line('changeset_step -a');
    expect(await line('replay_seek 1000')).toBe('');
  });

  it('steps one instruction where breakpoints are, and a replay does the same without them', async () => {
    await booted();
    await type('peek 0x500000');
    await run('stop');
    await line('breakpoint_add slot=3');
    page.session.receive({ type: 'console', text: 'mem\r' });
    const { instructions } = page.machine!.run;
    for (let steps = 1; steps <= 40; steps++) {
      await line('breakpoint_add gva=$rip,once=on');
      page.session.receive({ type: 'run', action: 'step' });
      await page.holds(() => page.machine!.run.instructions === instructions + steps);
    }
    await replaysTheSame();
  });

  it('makes a replay that passes where a breakpoint stopped an idle guest at the entry of its interrupt handler', async () => {
    await booted();
    // The gate of the serial line's vector
    const idt = Number(`0x${/IDT=\s+([0-9a-f]+)/.exec(await line('info registers'))![1]}`);
    const gate = new DataView(page.machine!.physical.read(idt + 0x24 * 16, 16)!.buffer);
    const handler = gate.getUint16(0, true) + gate.getUint16(6, true) * 0x10000;
    await line(`breakpoint_add gva=0x${handler.toString(16)}`);
    page.session.receive({ type: 'console', text: 'p' });
    await page.holds(() => runs() === 'paused');
    expect(page.machine!.inspect.registers().rip).toBe(BigInt(handler));
    await line('breakpoint_del all');
    await run('cont');
    await type('eek 0x500000');
    await run('stop');
    await replaysTheSame();
  });

  it('makes no replay that would end between an exception and its handler, but one after a step', async () => {
    await booted();
    await line('breakpoint_add vector=14');
    page.session.receive({ type: 'console', text: 'peek 0x7000000000\r' });
    await page.holds(() => runs() === 'paused');
    expect(await line('share -r')).toMatch(/^Error: no replay can be made: the machine stands between an event and its handler/);
    const { instructions } = page.machine!.run;
    page.session.receive({ type: 'run', action: 'step' });
    await page.holds(() => page.machine!.run.instructions === instructions + 1);
    await replaysTheSame();
  });

  it('makes no replay with an input between an exception and its handler, as one would apply it before the delivery', async () => {
    await booted();
    // memlab maps what faults, so that it faults once.
    const faults = async (gva: string): Promise<void> => {
      await line('breakpoint_add vector=14');
      page.session.receive({ type: 'console', text: `peek ${gva}\r` });
      await page.holds(() => runs() === 'paused');
      await line('breakpoint_del all');
    };
    const goesOn = async (): Promise<void> => {
      const before = page.console.length;
      await run('cont');
      await page.holds(() => /lab> $/.test(page.console.slice(before)));
    };
    await faults('0x7000000000');
    await line('cpu 0');
    await goesOn();
    expect(await line('share -r')).toMatch(/#r=/);
    await faults('0x6000000000');
    await line('memslot_rehost 4');
    await goesOn();
    expect(await line('share -r')).toBe('Error: no replay can be made: an input came between an event and its handler\n');
  });

  it('shows the present after a snapshot was loaded in the past', async () => {
    await booted();
    await run('stop');
    await line('savevm one');
    await line('replay_seek 1000');
    expect(view().past).toMatchObject({ begin: 0, behind: true });
    await line('loadvm one');
    const { instructions } = page.machine!.run;
    await page.holds(() => !view().past.behind);
    expect(view().past).toMatchObject({ begin: instructions, now: instructions, present: instructions });
  });

  it('makes no replay in the past, whose inputs lie partly ahead, and one of all in the present', async () => {
    await booted();
    await type('poke 0x500000 0x77');
    await run('stop');
    await go({ do: 'step-back', vcpu: 0 });
    const refusal = 'no replay can be made: the machine is in its past: go to the present first, or start a new run here';
    await expect(ask({ type: 'export', what: 'replay' })).rejects.toThrow(refusal);
    expect(await line('share -r')).toBe(`Error: ${refusal}\n`);
    await line('replay_seek end');
    expect(await line('share -r')).toMatch(/#r=/);
  });

  it('refuses while the guest runs', async () => {
    await booted();
    await expect(go({ do: 'back' })).rejects.toThrow('the guest is running');
  });
});
