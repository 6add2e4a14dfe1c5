/** Share links: they restore their text; a mutated link is refused with a reason or means the same, and nothing is half loaded. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testMachine } from '../monitor/testing';
import { crc32 } from './crc32';
import { captureLayout, isLayoutLink, layoutText, loadLayout, MAX_INFLATED, packLink, unpackLink } from './index';

const runs = Number(process.env.LAB_SOAK_RUNS ?? 300);
const BASE = 'https://lab.example/app/?guest=memlab';

const fragmentOf = (link: string): string => link.slice(link.indexOf('#'));

async function deflated(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

describe('a link', () => {
  it('restores its text', async () => {
    for (const text of ['', 'x', '{"a":1}', 'äöü€𝄞'.repeat(1000)]) {
      const link = await packLink(text, BASE);
      expect(link).toMatch(/^https:\/\/lab\.example\/app\/\?guest=memlab#l=1\.[A-Za-z0-9_-]+$/);
      expect(await unpackLink(fragmentOf(link))).toEqual({ ok: true, text });
      expect(isLayoutLink(fragmentOf(link))).toBe(true);
    }
    expect(isLayoutLink('#guide=2')).toBe(false);
  });

  it('replaces the fragment of its base', async () => {
    expect(await packLink('x', 'http://h/#old')).toMatch(/^http:\/\/h\/#l=1\./);
  });

  it('is short for the layout of a machine', async () => {
    const text = layoutText(captureLayout(await testMachine()));
    expect((await packLink(text, BASE)).length).toBeLessThan(1000);
  });

  it('is refused with a reason', async () => {
    const link = fragmentOf(await packLink('hello, hello, hello', BASE));
    const reason = async (fragment: string): Promise<string> => {
      const result = await unpackLink(fragment);
      return result.ok ? 'accepted' : result.reason;
    };
    expect(await reason('#l=2.abc')).toBe('the link has version 2, this program reads version 1');
    expect(await reason('#l=1.')).toBe('the link is cut off');
    expect(await reason('#l=1.abc')).toBe('the link is cut off');
    expect(await reason('#l=1.<script>')).toMatch(/^the link is not of the form/);
    expect(await reason('nonsense')).toMatch(/^the link is not of the form/);
    expect(await reason(link.slice(0, -4))).toMatch(/^the link is damaged/);
    expect(await reason(`${link.slice(0, 6)}${link[6] === 'A' ? 'B' : 'A'}${link.slice(7)}`)).toMatch(/^the link is damaged/);
    expect(await reason(`#l=1.${'A'.repeat(300_000)}`)).toMatch(/^the link has 300005 characters/);
    // Node's stream ends at the end of the content; a browser's refuses what follows.
    for (const more of ['AAAA', '____', 'A'.repeat(400)])
      expect(await reason(`${link}${more}`)).toMatch(/^the link is damaged: (bytes follow its end|it does not unpack)/);
  });

  it('cannot inflate without bound', async () => {
    const bomb = new Uint8Array(MAX_INFLATED + 1);
    const packed = await deflated(bomb);
    const bytes = new Uint8Array(4 + packed.length);
    new DataView(bytes.buffer).setUint32(0, crc32(bomb), true);
    bytes.set(packed, 4);
    const text = btoa(String.fromCharCode(...bytes))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replace(/=+$/, '');
    expect(await unpackLink(`#l=1.${text}`)).toEqual({ ok: false, reason: `the link unpacks to more than ${MAX_INFLATED} bytes` });
  });

  it('knows CRC-32', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  });
});

describe('any mutated link', () => {
  it('never throws and never loads in part', async () => {
    const machine = await testMachine();
    machine.backends.add('m1', 2 * 0x100000);
    const good = fragmentOf(await packLink(layoutText(captureLayout(machine)), BASE));
    const goodText = layoutText(captureLayout(machine));
    const snapshot = (): string =>
      JSON.stringify([machine.memory.memslots(0), machine.backends.list(), machine.dimms.list(), machine.memory.generation()]);
    const start = snapshot();
    const cut = fc.record({
      at: fc.nat(good.length),
      length: fc.nat(20),
      put: fc.string({ unit: fc.constantFrom(...'ABab01-_.=#%<\u0000é'), maxLength: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(cut, { minLength: 1, maxLength: 3 }), async (cuts) => {
        let fragment = good;
        for (const { at, length, put } of cuts) fragment = fragment.slice(0, at) + put + fragment.slice(at + length);
        const unpacked = await unpackLink(fragment);
        if (unpacked.ok) expect(unpacked.text).toBe(goodText);
        else expect(unpacked.reason).toMatch(/^[ -~]+$/);
      }),
      { seed: 20210202, numRuns: runs },
    );
    expect(snapshot()).toBe(start);
  }, 600_000);

  it('nor does a mutated layout', async () => {
    const machine = await testMachine();
    const good = layoutText(captureLayout(machine));
    const state = (): string =>
      JSON.stringify([
        machine.memory.memslots(0).map(({ arch: _arch, ...slot }) => slot),
        machine.backends.list(),
        machine.dimms.list(),
        machine.memory.generation(),
      ]);
    const start = state();
    const value = fc.constantFrom(
      '0',
      '-1',
      '1e308',
      '4096',
      '"x"',
      'null',
      '[]',
      '{}',
      '1.5',
      '9007199254740993',
      '2199023255552',
      'true',
    );
    const edit = fc.record({ pick: fc.nat(), value });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        let text = good;
        for (const { pick, value: put } of edits) {
          const numbers = [...text.matchAll(/(?<=:)(\d+|"[^"]*")/g)];
          const target = numbers[pick % numbers.length]!;
          text = text.slice(0, target.index) + put + text.slice(target.index + target[0].length);
        }
        const was = state();
        const reason = await loadLayout(machine, text);
        if (reason === undefined) {
          // A harmless mutation was accepted: restores the previous layout.
          expect(await loadLayout(machine, good)).toBeUndefined();
        } else {
          expect(reason).toMatch(/^[^\n]+$/);
          expect(state()).toBe(was);
        }
      }),
      { seed: 20210202, numRuns: runs },
    );
    expect(JSON.parse(state()).slice(1, 3)).toEqual(JSON.parse(start).slice(1, 3));
  }, 600_000);
});
