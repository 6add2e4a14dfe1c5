/** Wrong input, with the exact answers of QEMU 7.2 (observed on qemu-system-x86_64 -M pc -m 256M,slots=8,maxmem=2G). */
import { describe, expect, it } from 'vitest';
import { replay, testMonitor } from './testing';

const same = async (transcript: string): Promise<void> => {
  const { monitor } = await testMonitor();
  expect(await replay(monitor, transcript)).toBe(transcript);
};

describe('unknown and malformed commands', () => {
  it('names what is unknown as it was typed', () =>
    same(`(lab) foo
unknown command: 'foo'
(lab) infos
unknown command: 'infos'
(lab) info foo
unknown command: 'info foo'
(lab) foo bar
unknown command: 'foo'
(lab)  info  foo x
unknown command: ' info  foo'
(lab) info "mem"
unknown command: 'info "mem"'
(lab) INFO mem
unknown command: 'INFO'
(lab) stop;cont
unknown command: 'stop;cont'
(lab) help a b c
unknown command: 'a'
(lab) help foo
unknown command: 'foo'
(lab) help info foo
unknown command: 'info foo'
`));

  it('complains about arguments with the command and how to get help', () =>
    same(`(lab) info mem foo
mem: extraneous characters at the end of line
Try "help info mem" for more information
(lab) info mtree -z
mtree: unsupported option -z
Try "help info mtree" for more information
(lab) info  mtree   -f foo
mtree: extraneous characters at the end of line
Try "help info  mtree" for more information
(lab) info registers -b
registers: unsupported option -b
Try "help info registers" for more information
(lab) quit now
quit|q: extraneous characters at the end of line
Try "help quit" for more information
(lab) stop/x
stop|s: extraneous characters at the end of line
Try "help stop" for more information
(lab) object_del m1 m2
object_del: extraneous characters at the end of line
Try "help object_del" for more information
(lab) object_add
object_add: string expected
Try "help object_add" for more information
(lab) device_del
device_del: string expected
Try "help device_del" for more information
(lab) object_del "a b
unterminated string
object_del: string expected
Try "help object_del" for more information
(lab) object_del "a\\qb"
unsupported escape code: '\\q'
object_del: string expected
Try "help object_del" for more information
(lab) pmemsave 0 16
pmemsave: string expected
Try "help pmemsave" for more information
(lab) pmemsave 0x1000000 4096 /tmp/x.bin
invalid char 't' in expression
Try "help pmemsave" for more information
`));

  it('complains about expressions', () =>
    same(`(lab) x
unexpected end of expression
Try "help x" for more information
(lab) x /4xg
unexpected end of expression
Try "help x" for more information
(lab) x /s 0
invalid char in format: 's'
Try "help x" for more information
(lab) print 1+
unexpected end of expression
Try "help print" for more information
(lab) print 10/0
division by zero
Try "help print" for more information
(lab) print $foo
unknown register
Try "help print" for more information
(lab) p (1
')' expected
Try "help p" for more information
(lab) p )
invalid char ')' in expression
Try "help p" for more information
(lab) p 'ab'
missing terminating ' character
Try "help p" for more information
(lab) p '
character constant expected
Try "help p" for more information
(lab) p 08
print|p: extraneous characters at the end of line
Try "help p" for more information
(lab) p 1<<2
print|p: extraneous characters at the end of line
Try "help p" for more information
(lab) p 18446744073709551616
number too large
Try "help p" for more information
(lab) sum 0 1000000000000
'sum' has failed: integer is for 32-bit values
Try "help sum" for more information
(lab) gpa2hva 1M
gpa2hva: extraneous characters at the end of line
Try "help gpa2hva" for more information
(lab) cpu 1
invalid CPU index
(lab) info registers 3
CPU#3 not available
`));
});

describe('backends', () => {
  it('refuses as QEMU does', () =>
    same(`(lab) object_add foo
Error: Parameter 'qom-type' does not accept value 'foo'
(lab) object_add memory-backend-ram
Error: Parameter 'id' is missing
(lab) object_add memory-backend-ram,id=m1
Error: Parameter 'size' is missing
(lab) object_add memory-backend-ram,id=m1,size=abc
Error: Parameter 'size' expects size
(lab) object_add memory-backend-ram,id=m1,size=128Q
Error: Parameter 'size' expects size
(lab) object_add memory-backend-ram,id=m1,size=-1
Error: Parameter 'size' expects size
(lab) object_add memory-backend-ram,id=m1,size=0
Error: property 'size' of memory-backend-ram doesn't take value '0'
(lab) object_add memory-backend-ram,id=m1,size
Error: Expected '=' after parameter 'size'
(lab) object_add memory-backend-ram,id=1bad,size=1M
Error: Parameter 'id' expects an identifier
Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.
(lab) object_add memory-backend-ram,size=1M
Error: Parameter 'id' is missing
(lab) object_add id=m6,size=1M
Error: Parameter 'qom-type' is missing
(lab) object_add nosuch-type,id=x
Error: Parameter 'qom-type' does not accept value 'nosuch-type'
(lab) object_add memory-backend-ram,id=m1,size=128M,foo=1
Error: Parameter 'foo' is unexpected
(lab) object_add memory-backend-ram,id=zzg,size.x=1M
Error: Parameter 'size' is missing
(lab) object_add memory-backend-ram,,id=m4,size=1M
Error: Invalid parameter ''
(lab) object_add memory-backend-ram,id=m10,size=1M,share=foo
Error: Parameter 'share' expects 'on' or 'off'
(lab) object_add memory-backend-ram,id=m10,size=1M,policy=xx
Error: Parameter 'policy' does not accept value 'xx'
(lab) object_add "memory-backend-ram,id=m12,size=1M"
Error: Parameter 'qom-type' does not accept value '"memory-backend-ram'
(lab) object_add memory-backend-ram,id=m1,size=2M
(lab) object_add memory-backend-ram,id=m1,size=2M
Error: attempt to add duplicate property 'm1' to object (type 'container')
(lab) object_del nope
Error: object 'nope' not found
(lab) object_del "m1"
(lab) object_del m1
Error: object 'm1' not found
`));

  it('takes sizes as QEMU does', async () => {
    const { monitor, machine } = await testMonitor();
    const sizes: Record<string, number> = {
      '2m': 2097152,
      '1.5M': 1572864,
      '0x200000': 2097152,
      '1.1111M': 1165073,
      '5.M': 5242880,
      '+5M': 5242880,
      '010': 10,
      '1b': 1,
    };
    for (const [text, size] of Object.entries(sizes)) {
      expect(await monitor.execute(`object_add memory-backend-ram,id=t,size=${text}`)).toBe('');
      expect(machine.backends.list().find((backend) => backend.id === 't')?.size).toBe(size);
      expect(await monitor.execute('object_del t')).toBe('');
    }
    for (const text of ['2KB', '2Ki', '1e3', '.5M', '17E', '', '1.5', '99999999999999999999']) {
      expect(await monitor.execute(`object_add memory-backend-ram,id=t,size=${text}`)).toBe("Error: Parameter 'size' expects size\n");
    }
  });
});

describe('DIMMs', () => {
  it('refuses as QEMU does', () =>
    same(`(lab) device_add
Error: Parameter 'driver' is missing
(lab) device_add foo
Error: 'foo' is not a valid device model name
(lab) device_add pc-dimm
Error: 'memdev' property must be set
(lab) device_add pc-dimm,id=d1
Error: 'memdev' property must be set
(lab) device_add pc-dimm,id=d1,memdev=nope
Error: Device 'nope' not found
(lab) device_add pc-dimm,id=d1,memdev=nope,bogus=1
Error: Device 'nope' not found
(lab) object_add memory-backend-ram,id=m1,size=128M
(lab) device_add pc-dimm,id=d1,memdev=m1,bogus=7
Error: Property 'pc-dimm.bogus' not found
(lab) device_add pc-dimm,id=d1,memdev=m1,size=1M
Error: Property 'pc-dimm.size' is not writable
(lab) device_add pc-dimm,id=d1,memdev=m1,addr=zzz
Error: Parameter 'addr' expects integer
(lab) device_add pc-dimm,id=d1,memdev=m1,addr=99999999999999999999
Error: Parameter 'addr' expects integer
(lab) device_add pc-dimm,id=d1,memdev=m1,slot=abc
Error: Parameter 'slot' expects integer
(lab) device_add pc-dimm,id=d1,memdev=m1,slot=9999999999
Error: Parameter 'slot' expects int32_t
(lab) device_add pc-dimm,id=d1,memdev=m1,node=-1
Error: Parameter 'node' expects uint32_t
(lab) device_add pc-dimm,id=d1,memdev=m1,addr=0x1000
Error: address must be aligned to 0x200000 bytes (nearest address: 0x10000000)
(lab) device_add pc-dimm,id=d1,memdev=m1,slot=8
Error: invalid slot number 8, valid range is [0-7] (DIMM slots: -m slots=8)
(lab) device_add pc-dimm,id=d1,memdev=m1,slot=-5
Error: invalid slot number -5, valid range is [0-7] (DIMM slots: -m slots=8)
(lab) device_add pc-dimm,id=d1,memdev=m1,node=3
Error: 'DIMM property node has value 3' which exceeds the number of numa nodes: 1
(lab) device_add pc-dimm,id=d1,memdev=m1 foo
device_add: extraneous characters at the end of line
Try "help device_add" for more information
(lab) device_add pc-dimm,id=1d,memdev=m1
Parameter 'id' expects an identifier
Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.
Try "help device_add" for more information
(lab) device_add pc-dimm,,x=1
Error: 'pc-dimm,x=1' is not a valid device model name
(lab) device_add id=d5
Error: Parameter 'driver' is missing
(lab) device_add pc-dimm,id=d1,memdev=m1,addr=0x108000000
(lab) device_add pc-dimm,id=d1,memdev=m1
Error: Duplicate device ID 'd1'
(lab) device_add pc-dimm,id=d2,memdev=m1
Error: can't use already busy memdev: m1
(lab) object_add memory-backend-ram,id=m2,size=256M
(lab) device_add pc-dimm,id=d2,memdev=m2,addr=0x100000000
Error: address range conflicts with memory device id='d1' (nearest address: 0x110000000)
(lab) device_add pc-dimm,id=d2,memdev=m2,slot=0
Error: slot 0 is busy (DIMM slot: another DIMM is in it)
(lab) object_del m1
Error: object 'm1' is in use, can not be deleted
(lab) device_del nope
Error: Device 'nope' not found
(lab) device_del /machine/peripheral/nope
Error: Device '/machine/peripheral/nope' not found
(lab) device_del /objects/m1
Error: /objects/m1 is not a hotpluggable device
(lab) device_del /machine
Error: /machine is not a hotpluggable device
(lab) device_del ""
Error:  is not a hotpluggable device
(lab) qom-set /machine/peripheral/d1 addr 0x140000000
Error: Attempt to set property 'addr' on device 'd1' (type 'pc-dimm') after it was realized
(lab) qom-set /objects/m1 size 256M
Error: cannot change property size of memory-backend-ram 
(lab) object_add memory-backend-ram,id=odd,size=1M
(lab) device_add pc-dimm,id=d5,memdev=odd
Error: backend memory size must be multiple of 0x200000 (nearest size: 2M)
`));

  it('shows what is plugged', () =>
    same(`(lab) info memory-devices
(lab) info memory_size_summary
base memory: 268435456
plugged memory: 0
(lab) object_add memory-backend-ram,id=mem1,size=256M
(lab) device_add pc-dimm,id=dimm1,memdev=mem1,addr=0x100000000
(lab) info memory-devices
Memory device [dimm]: "dimm1"
  addr: 0x100000000
  slot: 0
  node: 0
  size: 268435456
  memdev: /objects/mem1
  hotplugged: true
  hotpluggable: true
(lab) info memory_size_summary
base memory: 268435456
plugged memory: 268435456
(lab) qom-get /machine/peripheral/dimm1 addr
4294967296
(lab) qom-get dimm1 size
268435456
(lab) qom-get /machine/peripheral/dimm1 nope
Error: Property 'pc-dimm.nope' not found
(lab) qom-get /machine/nope x
Error: Device '/machine/nope' not found
(lab) info numa
1 nodes
node 0 cpus: 0
node 0 size: 512 MB
node 0 plugged: 256 MB
`));
});
