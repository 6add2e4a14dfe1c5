import { describe, expect, it } from 'vitest';
import { Serial } from './serial';
import { recorder } from './test-clock';

function make(room = () => {}) {
  const irq = recorder();
  const sent: number[] = [];
  const serial = new Serial({ irq: irq.line, output: (byte) => sent.push(byte), room });
  const write = (offset: number, value: number): void => serial.write(offset, 1, value);
  const read = (offset: number): number => serial.read(offset, 1);
  return { serial, irq, sent, write, read };
}
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

describe('serial', () => {
  it('sends at once and is always ready to send', () => {
    const { sent, write, read } = make();
    for (const byte of text('hello')) write(0, byte);
    expect(String.fromCharCode(...sent)).toBe('hello');
    expect(read(5)).toBe(0x60);
  });

  it('is detected as a 16550A, as Linux looks for it', () => {
    const { write, read } = make();
    write(2, 0x01);
    expect(read(2)).toBe(0xc1);
    write(2, 0x00);
    expect(read(2)).toBe(0x01);
    // The loopback test of 8250 autoconfig: RTS and OUT2 come back as CTS and DCD.
    write(4, 0x10 | 0x0a);
    expect(read(6) & 0xf0).toBe(0x90);
    write(4, 0);
    expect(read(6) & 0xf0).toBe(0xb0);
    write(7, 0xa5);
    expect(read(7)).toBe(0xa5);
    write(1, 0x0f);
    expect(read(1)).toBe(0x0f);
  });

  it('keeps the divisor behind DLAB apart from data and IER', () => {
    const { sent, write, read } = make();
    write(3, 0x83);
    write(0, 0x01);
    write(1, 0x00);
    expect(read(0)).toBe(1);
    write(3, 0x03);
    expect(sent).toEqual([]);
    expect(read(1)).toBe(0);
  });

  it('delivers any amount of input without loss', () => {
    const { serial, write, read } = make();
    write(2, 0x01);
    const words = 'x'.repeat(10_000);
    serial.input(text(words));
    let received = '';
    while ((read(5) & 1) !== 0) received += String.fromCharCode(read(0));
    expect(received).toBe(words);
    expect(serial.queued).toBe(0);
  });

  it('stops taking input when a mebibyte waits, and can still be saved', () => {
    const { serial } = make();
    for (let i = 0; i < 3; i++) serial.input(new Uint8Array(1 << 19));
    expect(serial.queued).toBeLessThanOrEqual((1 << 20) + 1);
    expect(() => serial.restore(serial.save())).not.toThrow();
  });

  it('reports how much it accepted, and once when there is room again: a sender that waits loses nothing', () => {
    let told = 0;
    const { serial, read } = make(() => void told++);
    const bytes = Uint8Array.from({ length: 3 << 19 }, (_unused, index) => index % 251);
    let given = serial.input(bytes);
    expect(given).toBe(1 << 20);
    // The byte register has taken one out of the queue.
    expect(serial.input(bytes.subarray(given))).toBe(1);
    given += 1;
    for (let at = 0; at < bytes.length; at++) {
      if (told === 1 && given < bytes.length) given += serial.input(bytes.subarray(given));
      if (read(0) !== at % 251) throw new Error(`byte ${at} is wrong`);
    }
    expect([told, given, serial.queued]).toEqual([1, bytes.length, 0]);
  });

  it('says that there is room when a restore makes it', () => {
    let told = 0;
    const { serial } = make(() => void told++);
    const empty = serial.save();
    serial.input(new Uint8Array(2 << 20));
    expect(told).toBe(0);
    serial.restore(empty);
    expect(told).toBe(1);
  });

  it('reports received data: timeout below the trigger level, data at it', () => {
    const { serial, irq, write, read } = make();
    write(2, 0x81); // FIFO, trigger at 8
    write(1, 0x01);
    serial.input(text('abc'));
    expect(irq.level).toBe(1);
    expect(read(2)).toBe(0xcc);
    serial.input(text('defgh'));
    expect(read(2)).toBe(0xc4);
    for (let i = 0; i < 8; i++) read(0);
    expect(irq.level).toBe(0);
    expect(read(2)).toBe(0xc1);
  });

  it('raises THRE when it is enabled, drops it at the IIR read, raises it again after a byte', () => {
    const { irq, write, read } = make();
    write(1, 0x02);
    expect(irq.level).toBe(1);
    expect(read(2)).toBe(0x02);
    expect(irq.level).toBe(0);
    expect(read(2)).toBe(0x01);
    write(0, 0x41);
    expect(irq.rises).toBe(2);
    expect(irq.level).toBe(1);
    write(1, 0x00);
    expect(irq.level).toBe(0);
  });

  it('peek changes nothing', () => {
    const { serial, irq, write } = make();
    write(1, 0x03);
    serial.input(text('q'));
    const before = JSON.stringify(serial.save());
    for (let offset = 0; offset < 8; offset++) serial.peek(offset, 1);
    expect(JSON.stringify(serial.save())).toBe(before);
    expect(irq.level).toBe(1);
  });

  it('loops bytes back while outside input waits', () => {
    const { serial, sent, write, read } = make();
    write(4, 0x10);
    serial.input(text('Z'));
    write(0, 0x55);
    expect(sent).toEqual([]);
    expect(read(0)).toBe(0x55);
    expect(read(5) & 1).toBe(0);
    write(4, 0);
    expect(read(0)).toBe(0x5a);
  });

  it('restores what it saved and refuses invalid states completely', () => {
    const a = make();
    a.write(2, 0xc1);
    a.write(1, 0x05);
    a.serial.input(text('0123456789abcdefghij'));
    a.read(0);
    const state = a.serial.save();
    const b = make();
    b.serial.restore(JSON.parse(JSON.stringify(state)));
    expect(b.serial.save()).toEqual(state);
    expect(b.read(0)).toBe(0x31);

    const kept = b.serial.save();
    expect(() => b.serial.restore({ ...state, lcr: 256 })).toThrow('serial: lcr must be an integer from 0 to 255, not 256');
    expect(() => b.serial.restore({ ...state, fifo: new Array(17).fill(0) })).toThrow('serial: fifo must have 0 to 16 entries, not 17');
    expect(() => b.serial.restore({ ...state, extra: 1 })).toThrow('serial: "extra" is not a field');
    const { ier: _, ...partial } = state;
    expect(() => b.serial.restore(partial)).toThrow('serial: ier is missing');
    expect(b.serial.save()).toEqual(kept);
  });
});
