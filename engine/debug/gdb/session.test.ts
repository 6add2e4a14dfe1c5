/** The stub as a client sees it, packet by packet; with gdb itself: engine/cli/gdb.test.ts. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Guest, rootFile } from '../../../test/guests/harness';
import { attack } from '../../../test/support/gdb-fuzz';
import { Random } from '../../../test/support/random';
import { breakpointsOf } from '../breakpoints/index';
import type { GdbHost } from './host';
import { GdbSession } from './session';

let guest: Guest;
let host: GdbHost;
let session: GdbSession;
let sent: string;

beforeEach(async () => {
  guest = await Guest.boot({ guest: { name: 'memlab', kernel: rootFile('guests/memlab/memlab.elf') } });
  guest.until('lab> ');
  const { machine } = guest;
  host = {
    machine,
    hold: () => () => {},
    stop: () => machine.run.stop(),
    cont: () => machine.run.cont(),
    changed: () => {},
    monitor: async (line) => `you said ${line}\n`,
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    wallClock: () => performance.now(),
    quit: () => {},
  };
  sent = '';
  session = new GdbSession(host, (bytes) => {
    sent += String.fromCharCode(...bytes);
  });
});

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
function packet(data: string): string {
  let sum = 0;
  for (const letter of data) sum = (sum + letter.charCodeAt(0)) & 255;
  return `$${data}#${sum.toString(16).padStart(2, '0')}`;
}
/** Data of the replies, and the acknowledgements. */
async function ask(data: string): Promise<string> {
  sent = '';
  session.receive(bytes(packet(data)));
  await session.idle();
  return sent.replaceAll(/^\+|\$|#[0-9a-f]{2}/g, '');
}

describe('the gdb stub', () => {
  it('stops the machine when it attaches, and reports it', async () => {
    expect(guest.machine.run.state).toBe('paused');
    expect(await ask('?')).toMatch(/^T02thread:01;/);
  });

  it('answers bad checksums with -, resends on request, and stops acknowledging on QStartNoAckMode', async () => {
    session.receive(bytes('$qC#00'));
    expect(sent).toBe('-');
    expect(await ask('qC')).toBe('QC01');
    sent = '';
    session.receive(bytes('-'));
    expect(sent).toBe('$QC01#f5');
    expect(await ask('QStartNoAckMode')).toBe('OK');
    sent = '';
    session.receive(bytes(packet('qC')));
    await session.idle();
    expect(sent).toBe('$QC01#f5');
  });

  it('takes packets in pieces and two at once', async () => {
    sent = '';
    const two = packet('qC') + packet('qAttached');
    for (const byte of bytes(two)) session.receive(Uint8Array.of(byte));
    await session.idle();
    expect(sent).toBe('++$QC01#f5$1#31');
  });

  it('describes its target and reads registers by its numbers', async () => {
    const xml = await ask('qXfer:features:read:target.xml:0,ffff');
    expect(xml).toContain('<architecture>i386:x86-64</architecture>');
    expect(xml).toContain('<reg name="efer" bitsize="64" type="i386_efer" regnum="32"/>');
    const all = await ask('g');
    const { rip } = guest.machine.inspect.registers();
    expect(all.slice(16 * 16, 17 * 16)).toBe(await ask('p10'));
    expect(BigInt(`0x${(await ask('p10')).match(/../g)!.reverse().join('')}`)).toBe(rip);
  });

  it('answers a malformed packet with an error, and an unknown one with an empty reply', async () => {
    for (const wrong of [
      'pzz',
      'p999',
      'm',
      'm0',
      'm0,',
      'mzz,1',
      'm0,fffff',
      'M0,2:00',
      'M0,1:zz',
      'Hx1',
      'Hg9',
      'T9',
      'Z0,zz,1',
      'Z2,0,0',
      'P10',
      'G00',
      'vCont;x',
      'vCont;r1',
      'qRcmd,1',
    ])
      expect(await ask(wrong), wrong).toBe('E22');
    expect(await ask('mffffffff00000000,4')).toBe('E14');
    expect(await ask('M4000000000,1:00')).toBe('E14');
    for (const unknown of ['vMustReplyEmpty', 'qTStatus', 'Z7,0,1', 'R00', '!', 'bs', 'vFile:open'])
      expect(await ask(unknown), unknown).toBe('');
    expect(await ask('QNonStop:1')).toContain('E.non-stop mode is not supported');
    expect(await ask(`m0,${'0'.repeat(70_000)}1`)).toBe('E22');
  });

  it('forwards a monitor command and returns its output', async () => {
    const output = await ask(`qRcmd,${Buffer.from('info status').toString('hex')}`);
    expect(Buffer.from(output.slice(1).replace('OOK', '').replace(/OK$/, ''), 'hex').toString()).toBe('you said info status\n');
  });

  it('keeps breakpoints out of guest memory, and removes them when it detaches', async () => {
    const before = await ask('m100000,100');
    const digest = await guest.machine.digest();
    expect(await ask('Z0,100010,1')).toBe('OK');
    expect(await ask('Z0,100010,1')).toBe('OK');
    expect(await ask('Z2,500000,8')).toBe('OK');
    expect(breakpointsOf(guest.machine).list()).toHaveLength(2);
    expect(await ask('m100000,100')).toBe(before);
    expect(await guest.machine.digest()).toBe(digest);
    session.close();
    expect(breakpointsOf(guest.machine).list()).toHaveLength(0);
  });

  it('answers a hostile client without any effect on the guest', async () => {
    const seed = Number(process.env.LAB_SEED ?? 20_261);
    const digest = await guest.machine.digest();
    expect(await attack(host, new Random(seed), 600), `seed ${seed}`).toBeGreaterThan(200);
    expect(await guest.machine.digest(), `seed ${seed}`).toBe(digest);
  });
});
