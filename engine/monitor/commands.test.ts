/** Output of commands that succeed, on a machine without a guest. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replay, testMonitor } from './testing';

const same = async (transcript: string): Promise<void> => {
  const { monitor } = await testMonitor();
  expect(await replay(monitor, transcript)).toBe(transcript);
};

describe('print', () => {
  it('evaluates as QEMU does and keeps the last format', () =>
    same(`(lab) print 2*(3+4)
0xe
(lab) p/x 4096*3
0x3000
(lab) p -7/2
0xfffffffffffffffd
(lab) p 0x10+010
0x18
(lab) p 5&3|8^1
0x8
(lab) p --5
0x5
(lab) p 0
0
(lab) p/d -1
-1
(lab) p 10
10
(lab) p/o 10
012
(lab) p/u -1
18446744073709551615
(lab) p/c 65
'A'
(lab) p 300
'\\x12c'
(lab) p ~1
'\\xfffffffe'
(lab) p/x 'a'
0x61
`));

  it('knows registers, by QEMU’s names and by the 64-bit ones', async () => {
    const { monitor, machine } = await testMonitor();
    const registers = machine.inspect.registers();
    expect(await monitor.execute('p $rip')).toBe(`0x${registers.rip.toString(16)}\n`);
    expect(await monitor.execute('p $eip - $rip')).toBe('0\n');
    expect(await monitor.execute('p $pc - $cs.base')).toBe(`0x${registers.rip.toString(16)}\n`);
    for (const name of ['rax', 'eax', 'sp', 'cr0', 'cr3', 'efer', 'r15', 'rflags', 'cs', 'gs.limit']) {
      expect(await monitor.execute(`p $${name}`)).toMatch(/^(0x[0-9a-f]+|0)\n$/);
    }
  });
});

describe('x, xp and sum', () => {
  it('dumps in QEMU’s columns', async () => {
    const { monitor, machine } = await testMonitor();
    const bytes = [0xea, 0x5b, 0xe0, 0x00, 0xf0, 0x30, 0x36, 0x2f, 0x32, 0x33, 0x2f, 0x39, 0x39, 0x00, 0xfc, 0x00];
    machine.physical.write(0x200000, Uint8Array.from(bytes));
    const transcript = `(lab) xp /3dw 0x200000
0000000000200000:   14703594  792080624  959394610
(lab) xp /2ob 0x200000
0000000000200000: 0352 0133
(lab) xp /4xh 0x200000
0000000000200000: 0x5bea 0x00e0 0x30f0 0x2f36
(lab) xp /2xg 0x200000
0000000000200000: 0x2f3630f000e05bea 0x00fc0039392f3332
(lab) xp /2d 0x200000
0000000000200000:  3401960375889976298    70931939903615794
(lab) xp /8cb 0x200000
0000000000200000: '\\xea' '[' '\\xe0' '\\x00' '\\xf0' '0' '6' '/'
(lab) xp /10xb 0x200000
0000000000200000: 0xea 0x5b 0xe0 0x00 0xf0 0x30 0x36 0x2f
0000000000200008: 0x32 0x33
(lab) xp /0x 0
(lab) xp /4294967296x 0
(lab) xp /2xg 0x120000000
0000000120000000: Cannot access memory
`;
    expect(await replay(monitor, transcript)).toBe(transcript);
  });

  it('disassembles in QEMU’s lines, in the mode of the code segment', async () => {
    const { monitor, machine } = await testMonitor();
    const code = '6766c7848b78563412efcdab89 f089c8 90 d40a eb80 ea5be000f0 cb'.replaceAll(' ', '');
    machine.physical.write(
      0x8000,
      Uint8Array.from(code.match(/../g)!, (pair) => Number.parseInt(pair, 16)),
    );
    // A machine without a guest is in real mode; QEMU 7.2 printed these lines.
    const transcript = `(lab) xp /8i 0x8000
0x00008000:  67 66 c7 84 8b 78 56 34  movl     $0x89abcdef, 0x12345678(%ebx, %ecx, 4)
0x00008008:  12 ef cd ab 89
0x0000800d:  f0                       .byte    0xf0
0x0000800e:  89 c8                    movw     %cx, %ax
0x00008010:  90                       nop      ${''}
0x00008011:  d4 0a                    aam      ${''}
0x00008013:  eb 80                    jmp      0x7f95
0x00008015:  ea 5b e0 00 f0           ljmpw    $0xf000:$0xe05b
0x0000801a:  cb                       lretw    ${''}
(lab) x /0i 0x8010
0x00008010:  90                       nop      ${''}
(lab) xp /2i 0xffffffe
0x0ffffffe:  00 00                    addb     %al, (%bx, %si)
0x10000000: unable to read memory
(lab) xp /i 0x7ffffff0
0x7ffffff0: unable to read memory
(lab) xp /i 0xfffffffffffffff8
0xfffffffffffffff8: unable to read memory
`;
    expect(await replay(monitor, transcript)).toBe(transcript);
    expect((await monitor.execute('xp /100000i 0x200000')).split('\n').at(-2)).toBe(
      '... 95904 instructions more: this monitor prints at most 4096 at once',
    );
  });

  it('disassembles through the guest’s page tables in 64-bit mode', async () => {
    const kernel = readFileSync(resolve(import.meta.dirname, '../../guests/memlab/memlab.elf'));
    const { monitor, machine } = await testMonitor({ guest: { name: 'memlab', kernel } });
    machine.run.cont();
    machine.run.advance(1_000_000);
    machine.run.stop();
    const rip = machine.inspect.registers().rip;
    const [where, line] = (await monitor.execute('x /1i $pc')).split('\n');
    expect(where).toMatch(/^[a-z_0-9]+(\+0x[0-9a-f]+)?:$/);
    expect(line).toMatch(new RegExp(`^0x${rip.toString(16).padStart(8, '0')}:  (?:[0-9a-f]{2} )+ +[a-z]`));
    machine.physical.write(0x180000, Uint8Array.from([0x48, 0x8b, 0x04, 0xc5, 0xf0, 0xff, 0xff, 0xff, 0x41, 0x54]));
    expect(await monitor.execute('x /2i 0x180000')).toBe(
      `0x00180000:  48 8b 04 c5 f0 ff ff ff  movq     -0x10(, %rax, 8), %rax\n0x00180008:  41 54                    pushq    %r12\n`,
    );
    expect(await monitor.execute('x /2i 0xffff800000000000')).toBe('0xffff800000000000: unable to read memory\n');
  });

  it('sums like BSD', async () => {
    const { monitor, machine } = await testMonitor();
    machine.physical.write(0x200000, Uint8Array.of(1, 2, 3));
    // ((((1 rotated) + 2) rotated) + 3): 1 -> 0x8002 -> 0x4004
    expect(await monitor.execute('sum 0x200000 3')).toBe('16388\n');
    expect(await monitor.execute('sum 0x80000000 16')).toBe('00000\n');
  });
});

describe('addresses', () => {
  it('shows what backs a gpa', async () => {
    const { monitor, machine } = await testMonitor();
    expect(await monitor.execute('gpa2hva 0xdeadbeef000')).toBe('No memory is mapped at address 0xdeadbeef000\n');
    expect(await monitor.execute('gpa2hva -1')).toBe('No memory is mapped at address 0xffffffffffffffff\n');
    expect(await monitor.execute('gpa2hva 0xfec00000')).toBe('Memory at address 0xfec00000 is not RAM\n');
    const hva = machine.memory.gpaToHva(0x100000);
    expect(await monitor.execute('gpa2hva 0x100000')).toBe(`Host virtual address for 0x100000 (ram.a) is 0x${hva.toString(16)}\n`);
  });
});

describe('run state', () => {
  it('distinguishes prelaunch, running and paused', async () => {
    const { monitor } = await testMonitor();
    const transcript = `(lab) info status
VM status: paused (prelaunch)
(lab) cont
(lab) info status
VM status: running
(lab) stop
(lab) stop
(lab) info status
VM status: paused
(lab) s
(lab) c
(lab) info status
VM status: running
`;
    expect(await replay(monitor, transcript)).toBe(transcript);
  });

  it('quits through its host', async () => {
    const { monitor, env } = await testMonitor();
    expect(await monitor.execute('q')).toBe('');
    expect(env.quits).toBe(1);
  });
});

describe('help', () => {
  it('shows one command or all, sorted, in QEMU’s form', async () => {
    const { monitor } = await testMonitor();
    expect(await monitor.execute('help device_add')).toBe(
      'device_add driver[,prop=value][,...] -- add device, like -device on the command line\n',
    );
    expect(await monitor.execute('help q')).toBe('quit|q  -- quit the emulator\n');
    expect(await monitor.execute('? x')).toBe("x /fmt addr -- virtual memory dump starting at 'addr'\n");
    expect(await monitor.execute('help info memslots')).toBe('info memslots  -- show the memslots (flags: R read-only, L dirty log)\n');
    const all = (await monitor.execute('help')).trimEnd().split('\n');
    expect(all.map((line) => line.split(' ')[0])).toEqual(all.map((line) => line.split(' ')[0]).sort());
    expect(await monitor.execute('info')).toBe(await monitor.execute('help info'));
  });

  it('has a line for every command', async () => {
    const { monitor } = await testMonitor();
    for (const line of (await monitor.execute('help')).trimEnd().split('\n')) expect(line).toMatch(/^\S+ .*-- \S/);
  });
});

describe('files', () => {
  it('saves memory where there are files', async () => {
    const { monitor, machine, env } = await testMonitor();
    machine.physical.write(0x200000, Uint8Array.of(1, 2, 3, 4));
    expect(await monitor.execute('pmemsave 0x200000 4 "a file"')).toBe('');
    expect([...env.files.get('a file')!]).toEqual([1, 2, 3, 4]);
    expect(await monitor.execute('pmemsave 0x90000000 4 "hole"')).toBe('');
    expect([...env.files.get('hole')!]).toEqual([0, 0, 0, 0]);
  });

  it('says so where there are none', async () => {
    const { monitor, env } = await testMonitor();
    delete env.writeFile;
    expect(await monitor.execute('pmemsave 0x200000 4 "f"')).toBe(
      "Error: cannot write 'f': there are no files here (the headless lab has them)\n",
    );
  });
});

describe('info', () => {
  it('lists backends with the objects first', async () => {
    const { monitor } = await testMonitor();
    await monitor.execute('object_add memory-backend-ram,id=m1,size=2M');
    const text = await monitor.execute('info memdev');
    expect(text.startsWith('memory backend: m1\n  size:  2097152\n  merge: true\n  dump: true\n  prealloc: false\n  share: false\n')).toBe(
      true,
    );
    expect(text.endsWith('  policy: default\n  host nodes: \n\n')).toBe(true);
  });

  it('draws the memory tree and the flat view', async () => {
    const { monitor, machine } = await testMonitor();
    await monitor.execute('object_add memory-backend-ram,id=m1,size=128M');
    await monitor.execute('device_add pc-dimm,id=d1,memdev=m1,addr=0x100000000');
    const tree = await monitor.execute('info mtree');
    expect(tree).toMatch(/^address-space: cpu-memory-0\naddress-space: memory\n {2}0{16}-f{16} \(prio 0, i\/o\): system\n/);
    expect(tree).toContain('    0000000000000000-000000000009ffff (prio 0, ram): ram.low\n');
    expect(tree).toContain('    00000000fec00000-00000000fec00fff (prio 0, i/o): ');
    expect(tree).toMatch(
      / {4}0000000100000000-[0-9a-f]{16} \(prio 0, i\/o\): device-memory\n {6}0000000100000000-0000000107ffffff \(prio 0, ram\): m1\n/,
    );
    await monitor.execute(`memslot_split ${machine.memory.memslotAt(0x100000)!.slot} 0x104000000 20`);
    expect(await monitor.execute('info mtree')).toContain(
      '      0000000104000000-0000000107ffffff (prio 0, ram): alias memslot-20 @m1 0000000004000000-0000000007ffffff\n',
    );
    const flat = await monitor.execute('info mtree -f');
    expect(flat).toMatch(/^FlatView #0\n AS "memory", root: system\n AS "cpu-memory-0", root: system\n Root memory region: system\n/);
    expect(flat).toContain('  0000000104000000-0000000107ffffff (prio 0, ram): m1 @0000000004000000\n');
  });

  it('prints registers in QEMU’s layout', async () => {
    const { monitor } = await testMonitor({ smp: 2 });
    const text = await monitor.execute('info registers');
    expect(text).toMatch(/^\nCPU#0\n(EAX|RAX)=/);
    expect(text).toMatch(/\nCS =[0-9a-f]{4} [0-9a-f]{8,16} [0-9a-f]{8} [0-9a-f]{8}.*\n/);
    expect(text).toMatch(/\nFCW=[0-9a-f]{4} FSW=[0-9a-f]{4} \[ST=\d] FTW=[0-9a-f]{2} MXCSR=[0-9a-f]{8}\nFPR0=/);
    expect((await monitor.execute('info registers -a')).match(/CPU#/g)).toHaveLength(2);
    expect(await monitor.execute('info cpus')).toBe('* CPU #0: thread_id=1\n  CPU #1: thread_id=1\n');
    await monitor.execute('cpu 1');
    expect(await monitor.execute('info registers')).toMatch(/^\nCPU#1\n/);
  });

  it('answers every sub-command', async () => {
    const { monitor } = await testMonitor();
    for (const line of (await monitor.execute('info')).trimEnd().split('\n')) {
      const name = line.split(' ')[1]!;
      const text = await monitor.execute(`info ${name}`);
      expect(text, name).not.toMatch(/internal error/);
      expect(text === '' || text.endsWith('\n'), name).toBe(true);
    }
  });
});

describe('log', () => {
  it('lists its items when one is wrong', async () => {
    const { monitor } = await testMonitor();
    expect(await monitor.execute('log foo')).toMatch(/^Log items \(comma separated\):\nnone {12}remove all logs\n/);
  });

  it('prints the engine’s steps as they happen', async () => {
    const { monitor, env } = await testMonitor();
    await monitor.execute('log memslots');
    await monitor.execute('memslot_flags 3 -l');
    expect(env.printed.some((text) => /^memslots: as 0: swap 1 of 1, generation \d+$/.test(text))).toBe(true);
    await monitor.execute('log none');
    env.printed.length = 0;
    await monitor.execute('memslot_flags 3');
    expect(env.printed).toEqual([]);
  });
});
