// A guest boots, gets a DIMM while it runs, uses it, and is saved and put back.
import { bootLab } from 'memslot-lab/machine';

const lab = await bootLab({ memory: '16M,slots=2,maxmem=1G' });
lab.expect('lab> ');

await lab.monitor('object_add memory-backend-ram,id=m1,size=64M');
await lab.monitor('device_add pc-dimm,id=d1,memdev=m1,addr=0x10000000');
lab.expect('64 MiB');

lab.type('poke 0x10000000 0x1234\rpeek 0x10000000\r');
console.log(lab.expect('0x0000000000001234'));

const file = await lab.save();
const digest = await lab.machine.digest();
lab.advance(1_000_000);
await lab.load(file);
console.log(await lab.monitor('info memory-devices'));
console.log(`${file.length} bytes, digest ${(await lab.machine.digest()) === digest ? 'as before' : 'differs'}`);
