import { describe, expect, it } from 'vitest';
import { addressesIn } from './addresses';

const found = (line: string) => addressesIn(line).map(({ text, address, inHost }) => [text, address, inHost ? 'host' : 'guest']);

describe('addressesIn', () => {
  it('distinguishes guest and host addresses in what the monitor prints', () => {
    expect(found('2   0   0x000000100000  63M   0x02000000  --     ram.a')).toEqual([
      ['0x000000100000', 0x100000, 'guest'],
      ['0x02000000', 0x2000000, 'host'],
    ]);
    expect(found('Host virtual address for 0x1000 (ram.a) is 0x2001000')).toEqual([
      ['0x1000', 0x1000, 'guest'],
      ['0x2001000', 0x2001000, 'host'],
    ]);
    expect(found('gpa 0x4123 (memslot 7, hva 0x2004123), ur-x, page of 4k')).toEqual([
      ['0x4123', 0x4123, 'guest'],
      ['0x2004123', 0x2004123, 'host'],
    ]);
  });

  it('takes 16 digits without 0x, and nothing that is no physical address', () => {
    expect(found('0000000000400000: 0000000000600000 --PDA---W')).toEqual([
      ['0000000000400000', 0x400000, 'guest'],
      ['0000000000600000', 0x600000, 'guest'],
    ]);
    expect(found('ffff888010402a40 0xffffffffffff deadbeef 12345678')).toEqual([]);
  });
});
