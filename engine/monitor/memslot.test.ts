/** Change sets, memslot commands, history and layouts as a user types them. */
import { describe, expect, it } from 'vitest';
import { replay, testMonitor } from './testing';

const GIB4 = 0x100000000;

async function twoDimms() {
  const all = await testMonitor();
  await replay(
    all.monitor,
    `(lab) object_add memory-backend-ram,id=m1,size=128M
(lab) object_add memory-backend-ram,id=m2,size=128M
(lab) device_add pc-dimm,id=d1,memdev=m1,addr=0x100000000
(lab) device_add pc-dimm,id=d2,memdev=m2,addr=0x108000000`,
  );
  return all;
}

describe('memslot commands outside a change set', () => {
  it('commit at once, silently', async () => {
    const { monitor, machine } = await testMonitor();
    const before = machine.memory.generation();
    expect(await monitor.execute('memslot_add 40 4G 2M -r')).toBe('');
    const slot = machine.memory.memslotById(40)!;
    expect([slot.baseGfn, slot.npages, slot.flags]).toEqual([GIB4 / 4096, 512, 2]);
    expect(await monitor.execute('memslot_move 40 0x140000000')).toBe('');
    expect(await monitor.execute('memslot_flags 40 -l')).toBe('');
    expect(machine.memory.memslotById(40)!.flags).toBe(1);
    expect(await monitor.execute('memslot_flags 40')).toBe('');
    expect(await monitor.execute('memslot_split 40 0x140100000 41')).toBe('');
    expect(machine.memory.memslotById(41)!.npages).toBe(256);
    expect(await monitor.execute('memslot_merge 40 41')).toBe('');
    expect(machine.memory.memslotById(41)).toBeUndefined();
    expect(await monitor.execute('memslot_resize 40 1M')).toBe('');
    expect(machine.memory.memslotById(40)!.npages).toBe(256);
    expect(await monitor.execute('info generations')).toMatch(/\* .* 40 bare.40: 1M\n$/);
    expect(await monitor.execute('memslot_del 40')).toBe('');
    expect(machine.memory.memslotById(40)).toBeUndefined();
    expect(machine.memory.generation()).toBeGreaterThan(before);
    expect(machine.changeSet.open).toBe(false);
  });

  it('say why they are refused, and change nothing', async () => {
    const { monitor, machine } = await testMonitor();
    const before = machine.memory.memslots();
    const generation = machine.memory.generation();
    expect(await monitor.execute('memslot_add 40 1M 2M')).toMatch(/^Error: EEXIST: .*\n$/);
    expect(await monitor.execute('memslot_del 99')).toMatch(/^Error: E\w+: .*99.*\n$/);
    expect(await monitor.execute('memslot_move 3 0x123')).toMatch(/^Error: EINVAL: .*\nError: EEXIST: .*\n$/);
    expect(await monitor.execute('memslot_add 40 4G 100')).toBe(
      'Error: EINVAL: memorySize is 0x64: use a multiple of 4096 (nearest: 0x1000)\n',
    );
    expect(await monitor.execute('memslot_merge 3 3')).toBe('Error: memslot 3 is named twice\n');
    expect(await monitor.execute('memslot_merge 3')).toBe('Error: memslot_merge needs at least two ids, it got 3\n');
    expect(await monitor.execute('memslot_move 3 zz')).toBe(
      `invalid char 'z' in expression\nTry "help memslot_move" for more information\n`,
    );
    expect(await monitor.execute('memslot_move 3 4X')).toBe(`invalid char 'X' in '4X'\nTry "help memslot_move" for more information\n`);
    expect(await monitor.execute('memslot_move 3 16E')).toBe('number too large\nTry "help memslot_move" for more information\n');
    expect(await monitor.execute('memslot_move 3 8P')).toMatch(/^number too large: '8P'/);
    expect(await monitor.execute('memslot_move 3')).toMatch(/^unexpected end of expression\n/);
    expect(await monitor.execute('memslot_flags 3 -x')).toMatch(/^memslot_flags: unsupported option -x\n/);
    expect(machine.memory.memslots()).toEqual(before);
    expect(machine.memory.generation()).toBe(generation);
    expect(machine.changeSet.open).toBe(false);
  });
});

describe('a command with several faults', () => {
  it.each([
    ['memslot_add 70000 0x200001001 0x123', ['memslot id is 70000', 'memorySize is 0x123', 'guestPhysAddr is 0x200001001']],
    ['memslot_add 70000 0x200001001 0', ['memorySize is 0', 'memslot id is 70000', 'guestPhysAddr is 0x200001001']],
    ['memslot_add 3 0x200001001 0 0x77', ['memslot 3 exists', 'memorySize is 0', 'guestPhysAddr is 0x200001001', 'userspaceAddr is 0x77']],
    ['memslot_split 3 0x123 70000', ['memslot id is 70000', 'split address is 0x123']],
    ['memslot_split 99 1M 70000', ['memslot 99 does not exist', 'memslot id is 70000']],
  ])('%s names each', async (line, reasons) => {
    const { monitor, machine } = await testMonitor();
    const before = machine.memory.memslots();
    const lines = (await monitor.execute(line)).trimEnd().split('\n');
    expect(lines.map((text) => reasons.find((reason) => text.includes(`: ${reason}`)) ?? text)).toEqual(reasons);
    expect(machine.memory.memslots()).toEqual(before);
  });

  it('names a free place where the multiple nearest to an address is taken', async () => {
    const { monitor } = await testMonitor();
    const text = await monitor.execute('memslot_add 40 0x100123 1M');
    expect(text).toContain('guestPhysAddr is 0x100123: use a multiple of 4096 below 2^53 (nearest: 0x100000)');
    const place = /EEXIST: memslot 40 at \[0x100000, 0x200000\) overlaps .*nearest free address: (0x[0-9a-f]+)/.exec(text)?.[1];
    expect(await monitor.execute(`memslot_add 40 ${place} 1M`)).toBe('');
  });

  it('to step through a change set names those of each entry', async () => {
    const { monitor, machine } = await testMonitor();
    for (const line of ['changeset_begin', 'memslot_add 3 0x200000123 1M', 'memslot_del 99']) expect(await monitor.execute(line)).toBe('');
    expect(await monitor.execute('changeset_commit -s')).toMatch(
      /^Error: entry 1: EEXIST: memslot 3 exists[^;]*; entry 1: EINVAL: guestPhysAddr[^;]*; entry 2: ENOENT: memslot 99 does not exist\n$/,
    );
    expect(machine.changeSet.stepping).toBeUndefined();
  });
});

describe('a change set', () => {
  it('exchanges two slots in one commit', async () => {
    const { monitor, machine } = await twoDimms();
    const at = (gpa: number): number => machine.memory.memslotAt(gpa / 4096)!.slot;
    const a = at(GIB4);
    const b = at(GIB4 + 0x8000000);
    expect(await monitor.execute('info changeset')).toBe('No change set is open.\n');
    expect(await monitor.execute('changeset_begin')).toBe('');
    expect(await monitor.execute('changeset_begin')).toMatch(/^Error: a change set is already open/);
    expect(await monitor.execute(`memslot_move ${a} 0x108000000`)).toBe('');
    expect(at(GIB4)).toBe(a);
    expect(await monitor.execute('changeset_check')).toMatch(new RegExp(`^entry 1: EEXIST: .*${b}`));
    expect(await monitor.execute(`memslot_move ${b} 4G`)).toBe('');
    expect(await monitor.execute('info changeset')).toBe(`1: memslot_move ${a} 0x108000000\n2: memslot_move ${b} 0x100000000\n`);
    expect(await monitor.execute('changeset_check')).toBe('would commit: 2 changes, 2 swaps, 65536 pages zapped\n');
    expect(await monitor.execute('changeset_commit')).toMatch(/^generation \d+, 2 swaps, 65536 pages zapped\n$/);
    expect([at(GIB4), at(GIB4 + 0x8000000)]).toEqual([b, a]);
    expect(await monitor.execute('info generations')).toContain(`${a} <-> ${b}\n`);
  });

  it('of thousands is shown piece by piece, with what is refused behind', async () => {
    const { monitor, machine } = await twoDimms();
    await monitor.execute('changeset_begin');
    for (let n = 0; n < 3000; n++) machine.changeSet.stage({ op: 'del', slot: 100 + n });
    const lines = (await monitor.execute('info changeset')).trimEnd().split('\n');
    expect(lines.filter((line) => /^\d+: /.test(line))).toHaveLength(64);
    expect(lines.at(-1)).toBe('and 2936 entries more (info changeset 65); 2936 of them refused, the first is entry 65');
    const last = (await monitor.execute('info changeset 3000')).trimEnd().split('\n');
    expect(last[0]).toBe('3000: memslot_del 3099');
    expect(last[1]).toMatch(/^ {3}ENOENT: memslot 3099 does not exist/);
    expect(await monitor.execute('info changeset 3001')).toBe('Error: there is no entry 3001: the change set has 3000\n');
    expect(await monitor.execute('info changeset 0')).toBe('Error: there is no entry 0: the change set has 3000\n');
  });

  it('stays open and changes nothing when it is refused', async () => {
    const { monitor, machine } = await twoDimms();
    const before = machine.memory.memslots();
    const generation = machine.memory.generation();
    await monitor.execute('changeset_begin');
    await monitor.execute('memslot_add 40 0x1000 4k');
    await monitor.execute('memslot_add 41 8G 4k');
    expect(await monitor.execute('changeset_commit')).toMatch(/^entry 1: EEXIST: [^\n]+\n$/);
    expect(machine.changeSet.open).toBe(true);
    expect(machine.memory.memslots()).toEqual(before);
    expect(machine.memory.generation()).toBe(generation);
    expect(await monitor.execute('changeset_abort')).toBe('');
    expect(await monitor.execute('changeset_abort')).toBe('Error: no change set is open\n');
    expect(await monitor.execute('changeset_commit')).toMatch(/^Error: no change set is open/);
    expect(await monitor.execute('changeset_check')).toMatch(/^Error: no change set is open/);
  });

  it('can run as KVM’s users must, and the history remembers it', async () => {
    const { monitor, machine } = await twoDimms();
    const [a, b] = [machine.memory.memslotAt(GIB4 / 4096)!.slot, machine.memory.memslotAt((GIB4 + 0x8000000) / 4096)!.slot];
    await monitor.execute('changeset_begin');
    await monitor.execute(`memslot_move ${a} 0x108000000`);
    await monitor.execute(`memslot_move ${b} 0x100000000`);
    expect(await monitor.execute('changeset_commit -l')).toMatch(
      /^generation \d+, \d+ swaps, 65536 pages zapped, legacy: 0 guest accesses fell into a hole\n$/,
    );
    expect(machine.memory.memslotAt(GIB4 / 4096)!.slot).toBe(b);
    expect(await monitor.execute('info generations')).toMatch(new RegExp(`\\* .* legacy .*${a} <-> ${b}\\n$`));
    expect(await monitor.execute('undo')).toMatch(new RegExp(`^undid "${a} <-> ${b}": generation`));
    expect(machine.memory.memslotAt(GIB4 / 4096)!.slot).toBe(a);
  });
});

describe('a stepped commit', () => {
  it('reports what each phase did', async () => {
    const { monitor, machine } = await twoDimms();
    const [a, b] = [machine.memory.memslotAt(GIB4 / 4096)!.slot, machine.memory.memslotAt((GIB4 + 0x8000000) / 4096)!.slot];
    expect(await monitor.execute('changeset_step')).toBe('Error: no stepped commit is running: changeset_commit -s begins one\n');
    await monitor.execute('changeset_begin');
    expect(await monitor.execute('changeset_commit -s')).toBe('Error: the change set is empty: there is nothing to step through\n');
    await monitor.execute(`memslot_move ${a} 0x108000000`);
    await monitor.execute(`memslot_move ${b} 0x100000000`);
    expect(await monitor.execute('changeset_commit -s -l')).toBe(
      'Error: -l, -s and -w exclude each other: each is a different way to commit\n',
    );
    expect(await monitor.execute('changeset_commit -s')).toBe('2 entries to commit phase by phase; next: validate (changeset_step)\n');
    const before = machine.memory.generation();
    expect(await monitor.execute('changeset_step')).toBe('validate: 2 swaps, 65536 pages to zap (0 us)\n');
    expect(await monitor.execute('changeset_step')).toMatch(/^prepare: .* abort \(0 us\)\n$/);
    expect(await monitor.execute('changeset_step')).toBe(`swap 1: memslots ${a} and ${b} INVALID: accesses to them are retried (0 us)\n`);
    expect(await monitor.execute('info changeset')).toBe(
      `Stepped commit: phases done: validate, prepare, swap 1; next: zap; memslots ${a} and ${b} INVALID, 0 retries so far\n` +
        `1: memslot_move ${a} 0x108000000\n2: memslot_move ${b} 0x100000000\n`,
    );
    expect(await monitor.execute('info memslots')).toMatch(new RegExp(`\\n${a} .* d1 \\(m1\\), INVALID\\n`));
    for (const line of [
      'undo',
      'redo',
      'system_reset',
      'savevm x',
      'memslot_zap all',
      'memslot_del 0',
      'changeset_check',
      'changeset_commit',
      'device_del d1',
    ])
      expect(await monitor.execute(line), line).toMatch(/^Error: (a commit is between its phases|there is no folder for snapshots)/);
    expect(await monitor.execute('changeset_abort')).toMatch(/^Error: it is past swap 1/);
    expect(await monitor.execute('changeset_step -a')).toMatch(
      new RegExp(
        `^zap: generation ${before + 2}; 65536 pages zapped \\(0 us\\)\\nlast swap: .*\\nhooks: generation ${before + 4} .*\\nfree: .*0 retries \\(0 us\\)\\n$`,
      ),
    );
    expect(machine.memory.memslotAt(GIB4 / 4096)!.slot).toBe(b);
    expect(await monitor.execute('undo')).toMatch(new RegExp(`^undid "${a} <-> ${b}"`));
    expect(await monitor.execute('memslot_zap all')).toBe('');
    expect(await monitor.execute('zap_mode')).toBe('all\n');
  });

  it('ends with every reason if it is refused, and can be aborted before swap 1', async () => {
    const { monitor, machine } = await twoDimms();
    const generation = machine.memory.generation();
    await monitor.execute('changeset_begin');
    await monitor.execute('memslot_move 0 0x100000000');
    await monitor.execute('changeset_commit -s');
    expect(await monitor.execute('changeset_step -a')).toMatch(/^validate: refused, the change set stays open\nentry 1: EEXIST: /);
    expect(await monitor.execute('changeset_abort')).toBe('');
    await monitor.execute('changeset_begin');
    await monitor.execute('memslot_add 40 8G 2M');
    await monitor.execute('changeset_commit -s');
    await monitor.execute('changeset_step');
    expect(await monitor.execute('changeset_abort')).toBe('');
    expect(await monitor.execute('info changeset')).toMatch(/^1: memslot_add 40/);
    expect(await monitor.execute('changeset_commit')).toMatch(/^generation \d+, 1 swap, 0 pages zapped\n$/);
    expect(machine.memory.generation()).toBe(generation + 2);
  });
});

describe('undo and redo', () => {
  it('move through the history', async () => {
    const { monitor, machine } = await testMonitor();
    expect(await monitor.execute('undo')).toBe('Error: nothing to undo\n');
    expect(await monitor.execute('redo')).toBe('Error: nothing to redo\n');
    await monitor.execute('memslot_add 40 4G 2M');
    await monitor.execute('memslot_move 40 5G');
    expect(await monitor.execute('undo')).toMatch(/^undid "40 -> 0x140000000": generation \d+, 2 swaps, 512 pages zapped\n$/);
    expect(machine.memory.memslotById(40)!.baseGfn).toBe(GIB4 / 4096);
    expect(await monitor.execute('redo')).toMatch(/^redid "40 -> 0x140000000": generation \d+/);
    expect(machine.memory.memslotById(40)!.baseGfn).toBe((5 * 2 ** 30) / 4096);
    await monitor.execute('undo');
    await monitor.execute('undo');
    expect(machine.memory.memslotById(40)).toBeUndefined();
    expect(await monitor.execute('undo')).toBe('Error: nothing to undo\n');
    await monitor.execute('redo');
    await monitor.execute('memslot_flags 40 -l');
    expect(await monitor.execute('redo')).toBe('Error: nothing to redo\n');
  });

  it('take several commits back in one, and name a DIMM by its id', async () => {
    const { monitor, machine } = await testMonitor();
    await monitor.execute('object_add memory-backend-ram,id=m1,size=128M');
    await monitor.execute('device_add pc-dimm,id=dimm1,memdev=m1');
    expect(await monitor.execute('info generations')).toMatch(/\* .* \+ dimm1\n$/);
    const { slot } = machine.memory.memslotAt(machine.dimms.list()[0]!.addr / 4096)!;
    await monitor.execute('memslot_add 40 5G 2M');
    await monitor.execute('memslot_move 40 6G');
    await monitor.execute(`memslot_flags ${slot} -l`);
    const generation = machine.memory.generation();
    expect(await monitor.execute('undo 3')).toBe(`undid 3 commits: generation ${generation + 4}, 2 swaps, 512 pages zapped\n`);
    expect(machine.memory.memslotById(40)).toBeUndefined();
    expect(await monitor.execute('info generations')).toMatch(/\n\* .* \+ dimm1\n(.*\n){3}$/);
    expect(await monitor.execute('undo 2')).toBe('Error: cannot undo 2 commits: there are 1\n');
    expect(await monitor.execute('undo 0')).toBe('Error: count 0 must be at least 1\n');
    expect(await monitor.execute('redo 2')).toMatch(/^redid 2 commits: generation \d+, 1 swap, 0 pages zapped\n$/);
    expect(machine.memory.memslotById(40)!.baseGfn).toBe((6 * 2 ** 30) / 4096);
    expect(await monitor.execute('redo')).toMatch(/^redid "\d+ \+L"/);
  });

  it('never bring back a slot over host memory that was freed', async () => {
    const { monitor, machine } = await testMonitor();
    await monitor.execute('object_add memory-backend-ram,id=m1,size=2M');
    const { hva } = machine.backends.list().find((backend) => backend.id === 'm1')!;
    await monitor.execute(`memslot_add 40 4G 2M 0x${hva.toString(16)}`);
    await monitor.execute('memslot_del 40');
    expect(await monitor.execute('object_del m1')).toBe('');
    expect(await monitor.execute('undo')).toBe('Error: cannot undo "- 40 m1": the host memory of memslot 40 was freed\n');
  });
});

describe('info memslots', () => {
  it('is a table that names what backs each slot', async () => {
    const { monitor } = await twoDimms();
    const lines = (await monitor.execute('info memslots')).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^id {2}as {2}gpa +size +hva +flags {2}name$/);
    expect(lines[1]).toMatch(/^0 {3}0 {3}0x000000000000 {2}640k {2}0x[0-9a-f]{8} {2}-- {5}ram.low$/);
    expect(lines.at(-1)).toMatch(/ 0x000108000000 {2}128M .* d2 \(m2\)$/);
  });
});

describe('the rest of the engine', () => {
  it('harvests dirty pages, also with the delete', async () => {
    const { monitor, machine } = await testMonitor();
    await monitor.execute('memslot_add 40 4G 2M -l');
    machine.physical.write(GIB4 + 0x1000, new Uint8Array(8192).fill(1));
    machine.physical.write(GIB4 + 0x9000, Uint8Array.of(1));
    const dirty = 'memslot 40: 3 of 512 pages dirty\n  0x100001000-0x100003000 2\n  0x100009000-0x10000a000 1\n';
    expect(await monitor.execute('dirty_log 40')).toBe(dirty);
    expect(await monitor.execute('dirty_log 40')).toBe('memslot 40: 0 of 512 pages dirty\n');
    expect(await monitor.execute('dirty_log 3')).toBe('Error: ENOENT: memslot 3 does not log dirty pages: memslot_flags 3 -l enables it\n');
    expect(await monitor.execute('dirty_log 99')).toBe('Error: memslot 99 does not exist\n');
    machine.physical.write(GIB4, Uint8Array.of(1));
    expect(await monitor.execute('memslot_harvest 40')).toBe('memslot 40: 1 of 512 pages dirty\n  0x100000000-0x100001000 1\n');
    expect(machine.memory.memslotById(40)).toBeUndefined();
    await monitor.execute('changeset_begin');
    expect(await monitor.execute('memslot_harvest 3')).toMatch(/^Error: a change set is open/);
  });

  it('shows and sets what a commit zaps', async () => {
    const { monitor, machine } = await testMonitor();
    expect(await monitor.execute('zap_mode')).toBe('slot\n');
    expect(await monitor.execute('zap_mode all')).toBe('');
    expect(machine.memory.zap).toBe('all');
    expect(await monitor.execute('zap_mode some')).toBe("Error: zap mode 'some' does not exist: use slot or all\n");
  });

  it('compares generations and shows the index', async () => {
    const { monitor, machine } = await testMonitor();
    const before = machine.memory.generation();
    await monitor.execute('memslot_add 40 4G 2M');
    await monitor.execute('memslot_move 40 5G');
    const now = machine.memory.generation();
    expect(await monitor.execute(`generation_diff ${before} ${now}`)).toMatch(
      /^id {2}before \(gpa size hva flags\) {2}after\n40 {2}- +0x140000000 2M 0x[0-9a-f]+ --\n$/,
    );
    expect(await monitor.execute(`generation_diff ${now} ${now}`)).toBe('no difference\n');
    expect(await monitor.execute('generation_diff 1 999')).toMatch(/^Error: the history does not reach/);
    expect(await monitor.execute('info index 5G')).toMatch(
      /^kind btree, 6 slots, height 1, 1 node, 5 % full\nbytes: \d+ .*\nactive: generation \d+\nindex .*\narray .*\nrbtree .*\nbtree\* .*\n0x140000000: memslot 40 after 1 node\ninactive: same slots\n$/,
    );
    const [head, array, , btree] = (await monitor.execute('info index 5G')).split('\n').slice(3);
    expect(head).toMatch(/^index +height +nodes +full +bytes +visited +compared +read +lines$/);
    // Six keys of 64 places: the array reads each, then one record; the B-tree compares four keys of its only node, and reads its size.
    expect(array).toMatch(/^array +6 +1 +9 % +768 +6 +6 +56 +3$/);
    expect(btree).toMatch(/^btree\* +1 +1 +5 % +\d+ +1 +4 +44 +4$/);
    expect(await monitor.execute('info index 6G')).toMatch(/0x180000000: no memslot after/);
  });
});

describe('layouts', () => {
  it('are saved, listed, loaded and deleted by name', async () => {
    const { monitor, env } = await testMonitor();
    expect(await monitor.execute('layout_list')).toBe('');
    expect(await monitor.execute('layout_save one')).toBe('');
    expect(await monitor.execute('layout_save two')).toBe('');
    expect(await monitor.execute('layout_list')).toBe('one\ntwo\n');
    expect(await monitor.execute('layout_load one')).toBe('');
    expect(await monitor.execute('layout_load nope')).toBe("Error: layout 'nope' not found: layout_list lists the saved ones\n");
    env.saved.set('bad', 'x');
    expect(await monitor.execute('layout_load bad')).toBe("Error: layout 'bad' refused: it is not JSON\n");
    expect(await monitor.execute('layout_del one')).toBe('');
    expect(await monitor.execute('layout_del one')).toBe("Error: layout 'one' not found\n");
    expect(await monitor.execute('layout_save "with a blank"')).toBe('');
    expect([...env.saved.keys()]).toContain('with a blank');
    expect(await monitor.execute('layout_save " x"')).toMatch(/^Error: " x" is not a valid layout name/);
    expect(await monitor.execute(`layout_save ${'x'.repeat(65)}`)).toMatch(/is not a valid layout name/);
  });

  it('are shared as a link, and a long one says so', async () => {
    const { monitor, env } = await testMonitor();
    expect(await monitor.execute('share')).toBe('https://lab.example/app/#l=1.2\n');
    env.format = { ...env.format, link: async (_text, base) => `${base}#l=1.${'x'.repeat(3000)}` };
    expect(await monitor.execute('share')).toMatch(/\nThis link has 3029 characters; some programs cut links after 2000\./);
  });
});
