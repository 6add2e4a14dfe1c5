/** A hostile gdb: packets as a real one sends them, changed at random. */
import { type GdbHost, GdbSession } from '../../engine/debug/index';
import type { Random } from './random';

const SAMPLES = [
  '?',
  'g',
  'p10',
  'pffff',
  'm100000,40',
  'mffffffffffffffff,ffffffff',
  'mfff,2000',
  'Hg1',
  'Hc-1',
  'Hg99',
  'T1',
  'Z0,100000,1',
  'z0,100000,1',
  'Z2,100000,8',
  'Z4,0,ffffffff',
  'Z9,1,1',
  'z2,100000,8',
  'qSupported:multiprocess+;swbreak+',
  'qXfer:features:read:target.xml:0,ffb',
  'qXfer:features:read:target.xml:ffffffff,1',
  'qXfer:threads:read::0,1000',
  'qRcmd,696e666f20737461747573',
  'qRcmd,zz',
  'qfThreadInfo',
  'qsThreadInfo',
  'qC',
  'qThreadExtraInfo,1',
  'qqemu.PhyMemMode',
  'Qqemu.PhyMemMode:1',
  'QNonStop:1',
  'vCont?',
  'vMustReplyEmpty',
  'vFile:open:2f,0,0',
  'qOffsets',
  'qSymbol::',
  '!',
  'R00',
  'bs',
  'bc',
  'X100000,4:abcd',
]; // prettier-ignore

/** Packets that may change the guest, run it or end it are left out, also where an escape (}) hides their first letter. */
const CHANGES = /^[GPMXcsCSvDkQZb]/;

const unescaped = (text: string): string =>
  text.replace(/}(.)/gs, (_escape, letter: string) => String.fromCharCode(letter.charCodeAt(0) ^ 0x20));

function sum(text: string): string {
  let value = 0;
  for (const letter of text) value = (value + letter.charCodeAt(0)) & 255;
  return value.toString(16).padStart(2, '0');
}

function mutate(text: string, random: Random): string {
  const letters = [...text];
  for (let times = random.below(4); times > 0; times--) {
    const at = random.below(letters.length + 1);
    const letter = String.fromCharCode(
      random.below(3) === 0 ? random.below(256) : '0123456789abcdef,;:=-#$*}'.charCodeAt(random.below(25)),
    );
    if (random.below(3) === 0) letters.splice(at, 1);
    else if (random.below(2) === 0) letters.splice(at, 0, ...Array.from({ length: 1 + random.below(40) }, () => letter));
    else letters[at] = letter;
  }
  return letters.filter((letter) => letter !== '#' && letter !== '$').join('');
}

/** Sends `count` of them in pieces; returns how many were answered. Throws what a session throws. */
export async function attack(host: GdbHost, random: Random, count: number): Promise<number> {
  let answers = 0;
  const session = new GdbSession(host, (bytes) => {
    answers += bytes.filter((byte) => byte === 0x23).length;
  });
  for (let done = 0; done < count; done++) {
    const text = mutate(SAMPLES[random.below(SAMPLES.length)]!, random);
    if (CHANGES.test(unescaped(text))) continue;
    const kind = random.below(12);
    const packet = kind === 0 ? `$${text}` : kind === 1 ? `$${text}#zz` : kind === 2 ? `+-${text}` : `$${text}#${sum(text)}`;
    const bytes = Uint8Array.from(packet, (letter) => letter.charCodeAt(0) & 255);
    const cut = random.below(bytes.length + 1);
    session.receive(bytes.subarray(0, cut));
    session.receive(bytes.subarray(cut));
    if (done % 64 === 0) await session.idle();
  }
  await session.idle();
  session.close();
  return answers;
}
