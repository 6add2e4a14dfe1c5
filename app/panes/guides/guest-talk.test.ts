import { describe, expect, it } from 'vitest';
import { GuestTalk } from './guest-talk';

function heard(...chunks: string[]): GuestTalk {
  const talk = new GuestTalk();
  for (const chunk of chunks) talk.hear(chunk);
  return talk;
}

describe('what the guest’s console says', () => {
  it('a prompt waits until something is typed behind it', () => {
    expect(heard('memlab, x86-64\r\nlab> ').atPrompt).toBe(true);
    expect(heard('lab> ', 'm').atPrompt).toBe(false);
    expect(heard('lab> ', 'mem\r\n', 'boot memory\r\n', 'la', 'b> ').atPrompt).toBe(true);
  });

  it('watch begins with its first line, however it is cut, and ends with its sums', () => {
    const talk = heard('lab> watch 0x10000000\r\n0x100000', '00: 0x1111111111111111 (any key e', 'nds)\r\n');
    expect(talk.watching).toBe(0x10000000);
    talk.hear('  changed  0x1 -> 0x2  at 12\r\n');
    expect(talk.watching).toBe(0x10000000);
    expect(talk.hear('  2416640 reads, 1 change, 1 hole\r\nlab> ')).toBe(true);
    expect(talk.watching).toBeUndefined();
    expect(talk.atPrompt).toBe(true);
  });

  it('a reset ends it too; a watch over a hole counts', () => {
    const talk = heard('0x40000000: hole (any key ends)\r\n');
    expect(talk.watching).toBe(0x40000000);
    talk.hear('memlab, x86-64\r\n');
    expect(talk.watching).toBeUndefined();
  });

  it('sweep begins and ends like it', () => {
    const talk = heard('0x10000000, 8 MiB: a word of each page, round and round (any key ends)\r\n');
    expect(talk.sweeping).toBe(0x10000000);
    talk.hear('  812 rounds over 2048 pages\r\nlab> ');
    expect(talk.sweeping).toBeUndefined();
  });

  it('an exchange in KVM reports its figures; a restart forgets them', () => {
    const talk = heard(
      'kvm# ',
      'kvm-memslots\r\n50 exchanges by 200 ioctls, 734 us each, 147 ms; the nested guest read 971268 times and fell into the ',
    );
    expect([talk.shell, talk.exchanged]).toEqual(['linux-kvm', undefined]);
    expect(talk.hear('hole 445 times (KVM_EXIT_MMIO)\r\nkvm# ')).toBe(true);
    expect(talk.exchanged).toEqual({ times: 50, ioctls: 200, each: 734, took: 147, reads: 971268, holes: 445 });
    expect(talk.atPrompt).toBe(true);
    talk.restart();
    expect([talk.shell, talk.exchanged]).toEqual([undefined, undefined]);
  });

  it('says when nothing changed', () => {
    const talk = heard('lab> ');
    expect(talk.hear('')).toBe(false);
  });
});
