/** virtio-mem and the balloon in the monitor, word for word as QEMU 7.2 answers (tr-virtio-mem of the reference, and QEMU itself). */
import { describe, expect, it } from 'vitest';
import { QmpSession } from './qmp';
import { replay, testMonitor } from './testing';

const MIB = 0x100000;
const devices = {
  maxmem: 4096 * MIB,
  objects: [{ id: 'vmem0', size: 1024 * MIB }],
  virtio: [
    { driver: 'virtio-mem' as const, id: 'vm0', memdev: 'vmem0', addr: 2 ** 32 },
    { driver: 'virtio-balloon-device' as const, id: 'bal0' },
  ],
};

async function same(transcript: string, options: Parameters<typeof testMonitor>[0] = devices): Promise<void> {
  const { monitor } = await testMonitor(options);
  expect(await replay(monitor, transcript)).toBe(transcript);
}

describe('virtio-mem', () => {
  it('reserves its range: no memslot may be moved or added into it, only next to it', async () => {
    const { monitor } = await testMonitor(devices);
    const kept = (nearest: string): string =>
      `Error: EEXIST: memslot 20 would lie in [0x100000000:0x140000000), which memory device 'vm0' keeps (nearest free address: ${nearest})\n`;
    expect(await monitor.execute('memslot_add 20 0x13fe00000 4M')).toBe(kept('0x140000000'));
    expect(await monitor.execute('memslot_add 20 0x140000000 2M')).toBe('');
    expect(await monitor.execute('memslot_move 20 0x100000000')).toBe(kept('0xffe00000'));
    expect(await monitor.execute('memslot_move 20 0xffc00000')).toBe('');
    expect(await monitor.execute('memslot_resize 20 8M')).toContain("'vm0' keeps (nearest size: 0x400000)");
    expect(await monitor.execute('memslot_move 20 0xffe00000')).not.toContain('vm0');
  });

  it('shows and takes its sizes', () =>
    same(`(lab) info memory-devices
Memory device [virtio-mem]: "vm0"
  memaddr: 0x100000000
  node: 0
  requested-size: 0
  size: 0
  max-size: 1073741824
  block-size: 2097152
  memdev: /objects/vmem0
(lab) qom-get vm0 size
0
(lab) qom-get vm0 memaddr
4294967296
(lab) qom-get vm0 type
"virtio-mem"
(lab) qom-set vm0 requested-size 512M
(lab) qom-get vm0 requested-size
536870912
(lab) qom-set /machine/peripheral/vm0 requested-size 4194304
(lab) qom-get /machine/peripheral/vm0 requested-size
4194304
(lab) info memory_size_summary
base memory: 268435456
plugged memory: 0
`));

  it('refuses in QEMU’s words', () =>
    same(`(lab) qom-set vm0 requested-size 301M
Error: 'requested-size' has to be multiples of 'block-size' (0x200000) (nearest: 0x12e00000)
(lab) qom-set vm0 requested-size 2G
Error: 'requested-size' cannot exceed the memory backend size(0x40000000)
(lab) qom-set vm0 requested-size -1
Error: Parameter 'requested-size' expects a non-negative number below 2^64
Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-
and exabytes, respectively.
(lab) qom-set vm0 nope 1
Error: Property 'virtio-mem.nope' not found
(lab) qom-set vm0 size 4M
Error: Property 'virtio-mem.size' is not writable
(lab) qom-set vm0 block-size 4M
Error: 'block-size' cannot be changed
(lab) qom-set vm0 memaddr 1
Error: Attempt to set property 'memaddr' on device 'vm0' (type 'virtio-mem') after it was realized
(lab) qom-set vm0 requested-size
qom-set: string expected
Try "help qom-set" for more information
(lab) device_del vm0
Error: virtio based memory devices cannot be unplugged.
(lab) object_del vmem0
Error: object 'vmem0' is in use, can not be deleted
(lab) device_add pc-dimm,id=d1,memdev=vmem0
Error: can't use already busy memdev: vmem0
(lab) object_add memory-backend-ram,id=z,size=128M
(lab) device_add pc-dimm,id=vm0,memdev=z
Error: Duplicate device ID 'vm0'
(lab) device_add pc-dimm,id=d2,memdev=z,addr=0x100000000
Error: address range conflicts with memory device id='vm0' (nearest address: 0xd8000000)
(lab) device_add virtio-mem-pci,id=vm1,memdev=z
Error: Bus 'virtio-mmio-bus' does not support hotplugging: guests probe it only when they boot; give -device virtio-mem-device at the start
`));
});

describe('the balloon', () => {
  it('answers in QEMU’s words', () =>
    same(`(lab) info balloon
balloon: actual=256
(lab) balloon 100
(lab) info balloon
balloon: actual=256
(lab) balloon
unexpected end of expression
Try "help balloon" for more information
(lab) balloon 0
Error: Parameter 'target' expects a size
(lab) balloon -1
enter a positive value
Try "help balloon" for more information
(lab) balloon abc
invalid char 'a' in expression
Try "help balloon" for more information
(lab) balloon 1 2
balloon: extraneous characters at the end of line
Try "help balloon" for more information
(lab) balloon 99999999999999
Error: Parameter 'target' expects a size
(lab) balloon 10M
balloon: extraneous characters at the end of line
Try "help balloon" for more information
(lab) balloon 5000
(lab) help balloon
balloon target -- request VM to change its memory allocation (in MB)
(lab) help info balloon
info balloon  -- show balloon information
(lab) device_del bal0
Error: Bus 'virtio-mmio-bus' does not support hotplugging
`));

  it('is missed where there is none', () =>
    same(
      `(lab) balloon 5
Error: No balloon device has been activated
(lab) info balloon
Error: No balloon device has been activated
(lab) qom-get vm0 size
Error: Device 'vm0' not found
`,
      {},
    ));
});

describe('QMP', () => {
  it('reads and sets the same', async () => {
    const { machine, monitor } = await testMonitor(devices);
    const sent: string[] = [];
    const send = (text: string) => sent.push(text.trimEnd());
    const qmp = new QmpSession(machine, monitor, send, () => 0);
    const ask = async (execute: string, members?: object): Promise<unknown> => {
      sent.length = 0;
      qmp.receive(new TextEncoder().encode(`${JSON.stringify({ execute, ...(members && { arguments: members }) })}\n`));
      await qmp.idle();
      const answer = JSON.parse(sent.at(-1)!) as { return?: unknown; error?: { desc: string } };
      return answer.error?.desc ?? answer.return;
    };
    await ask('qmp_capabilities');
    expect(await ask('qom-set', { path: 'vm0', property: 'requested-size', value: 134217728 })).toEqual({});
    expect(await ask('query-memory-devices')).toEqual([
      {
        type: 'virtio-mem',
        data: {
          ...{ memdev: '/objects/vmem0', memaddr: 4294967296, 'block-size': 2097152, size: 0, node: 0 },
          ...{ 'max-size': 1073741824, 'requested-size': 134217728, id: 'vm0' },
        },
      },
    ]);
    expect(await ask('query-balloon')).toEqual({ actual: 268435456 });
    expect(await ask('balloon', { value: 134217728 })).toEqual({});
    expect(await ask('balloon', { value: 0 })).toBe("Parameter 'target' expects a size");
    expect(await ask('balloon')).toBe("Parameter 'value' is missing");
    expect(await ask('qom-set', { path: 'vm0', property: 'requested-size', value: true })).toBe(
      "Invalid parameter type for 'requested-size', expected: integer",
    );
    expect(await ask('qom-list', { path: '/machine/peripheral' })).toEqual([
      { name: 'type', type: 'string' },
      { name: 'vm0', type: 'child<virtio-mem>' },
      { name: 'bal0', type: 'child<virtio-balloon-device>' },
    ]);
    qmp.close();
  });
});
