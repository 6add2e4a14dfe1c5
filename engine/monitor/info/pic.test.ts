import { expect, it } from 'vitest';
import { ApicBus } from '../../devices/apic-bus';
import { IoApic } from '../../devices/ioapic';
import { testMonitor } from '../testing';
import { ioapicText } from './pic';

it('info pic shows both 8259s and the I/O APIC as QEMU does', async () => {
  const { machine, monitor } = await testMonitor();
  const master = 0x20;
  for (const [port, value] of [
    [master, 0x11],
    [master + 1, 0x30],
    [master + 1, 4],
    [master + 1, 1],
    [master + 1, 0xfb],
  ] as const) {
    machine.ports.write(port, 1, value);
  }
  expect(await monitor.execute('info pic')).toMatch(
    /^pic1: irr=\w\w imr=\w\w .* fnm=0\npic0: irr=\w\w imr=fb isr=00 hprio=0 irq_base=30 rr_sel=0 elcr=\w\w fnm=0\nioapic0: /,
  );
  // As QEMU 7.2 printed them (pc and microvm), but for the pins and values chosen here.
  expect((await monitor.execute('info pic')).split('\n').slice(2)).toEqual([
    'ioapic0: ver=0x20 id=0x00 sel=0x00',
    ...Array.from(
      { length: 24 },
      (_, n) => `  pin ${`${n}`.padEnd(2)} 0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical`,
    ),
    '  IRR      (none)',
    '  Remote IRR (none)',
    '',
  ]);
});

it('the I/O APIC is printed pin by pin, in words, with what is pending', () => {
  const ioapic = new IoApic({ bus: new ApicBus() });
  for (const [register, value] of [
    [0x18, 0x24],
    [0x12, 0x10021],
    [0x37, 0x12000000],
    [0x36, 0xa931],
    [0x20, 0x18705],
    [0x22, 0x29],
  ] as const) {
    ioapic.write(0, 4, register);
    ioapic.write(0x10, 4, value);
  }
  ioapic.line(16)(1);
  const lines = ioapicText(ioapic.inspect()).split('\n');
  expect(lines[0]).toBe('ioapic0: ver=0x20 id=0x00 sel=0x22 (redir[9])');
  expect([1, 4, 8, 9, 19].map((pin) => lines[pin + 1])).toEqual([
    '  pin 1  0x0000000000010021 dest=0 vec=33  active-hi edge  masked fixed  physical',
    '  pin 4  0x0000000000000024 dest=0 vec=36  active-hi edge         fixed  physical',
    '  pin 8  0x0000000000018705 dest=0 vec=5   active-hi level masked extINT physical',
    '  pin 9  0x0000000000000029 dest=0 vec=41  active-hi edge         fixed  physical',
    '  pin 19 0x120000000000a931 dest=12 vec=49  active-lo level        lowest logical',
  ]);
  expect(lines.slice(25)).toEqual(['  IRR      (none)', '  Remote IRR (none)', '']);
  ioapic.line(8)(1);
  expect(ioapicText(ioapic.inspect())).toContain('\n  IRR      8  \n');
  ioapic.write(0, 4, 1);
  expect(ioapicText(ioapic.inspect())).toContain('sel=0x01 (redir[4294967288])\n');
});
