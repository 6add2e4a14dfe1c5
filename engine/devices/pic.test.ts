import { beforeEach, describe, expect, it } from 'vitest';
import { PicPair } from './pic';

let pending = false;
let pic: PicPair;

/** The setup of a PC's firmware and kernels: vectors 0x20 and 0x28, nothing masked. */
function initialise(autoEoi = false): void {
  for (const [chip, base, icw3] of [
    [pic.master, 0x20, 4],
    [pic.slave, 0x28, 2],
  ] as const) {
    chip.write(0, 1, 0x11);
    chip.write(1, 1, base);
    chip.write(1, 1, icw3);
    chip.write(1, 1, autoEoi ? 0x03 : 0x01);
    chip.write(1, 1, 0);
  }
}
const pulse = (irq: number): void => {
  pic.line(irq)(1);
  pic.line(irq)(0);
};
const raise = (irq: number): void => pic.line(irq)(1);
const eoi = (chip = pic.master): void => chip.write(0, 1, 0x20);

beforeEach(() => {
  pending = false;
  pic = new PicPair({
    interrupt: (level) => {
      pending = level;
    },
  });
  initialise();
});

describe('8259 pair', () => {
  it('delivers by priority and holds lower inputs back until EOI', () => {
    raise(4);
    raise(1);
    expect(pending).toBe(true);
    expect(pic.acknowledge()).toBe(0x21);
    expect(pending).toBe(false);
    eoi();
    expect(pending).toBe(true);
    expect(pic.acknowledge()).toBe(0x24);
    eoi();
    expect(pending).toBe(false);
  });

  it('lets a higher input interrupt a lower one', () => {
    raise(4);
    expect(pic.acknowledge()).toBe(0x24);
    raise(0);
    expect(pic.acknowledge()).toBe(0x20);
  });

  it('cascades the slave and serves its second request after both EOIs', () => {
    raise(8);
    raise(12);
    expect(pic.acknowledge()).toBe(0x28);
    eoi(pic.slave);
    eoi();
    expect(pic.acknowledge()).toBe(0x2c);
  });

  it('serves two slave requests under automatic EOI', () => {
    initialise(true);
    raise(8);
    raise(12);
    expect(pic.acknowledge()).toBe(0x28);
    expect(pic.acknowledge()).toBe(0x2c);
    expect(pending).toBe(false);
  });

  it('an edge line that stays high requests once, a level line again after EOI', () => {
    raise(5);
    pic.acknowledge();
    eoi();
    expect(pending).toBe(false);
    pic.elcr.write(0, 1, 0x20);
    pic.acknowledge();
    eoi();
    expect(pending).toBe(true);
    pic.line(5)(0);
    expect(pending).toBe(false);
  });

  it('ELCR keeps timer, keyboard, cascade, RTC and coprocessor at edge', () => {
    pic.elcr.write(0, 1, 0xff);
    pic.elcr.write(1, 1, 0xff);
    expect([pic.elcr.read(0, 1), pic.elcr.read(1, 1)]).toEqual([0xf8, 0xde]);
  });

  it('a withdrawn edge ends in the spurious vector, which is not in service', () => {
    pulse(3);
    expect(pending).toBe(false);
    expect(pic.acknowledge()).toBe(0x27);
    pic.master.write(0, 1, 0x0b);
    expect(pic.master.read(0, 1)).toBe(0);
  });

  it('masks, and remembers the request while masked', () => {
    pic.master.write(1, 1, 0xff);
    raise(6);
    expect(pending).toBe(false);
    expect(pic.master.read(0, 1)).toBe(0x40);
    pic.master.write(1, 1, 0xbf);
    expect(pending).toBe(true);
  });

  it('rotates priority on specific and non-specific EOI', () => {
    raise(0);
    expect(pic.acknowledge()).toBe(0x20);
    pic.master.write(0, 1, 0xa0); // rotate on non-specific EOI: 0 becomes the lowest
    raise(3);
    pic.line(0)(0);
    raise(0);
    expect(pic.acknowledge()).toBe(0x23);
    pic.master.write(0, 1, 0x60 | 3); // specific EOI
    expect(pic.acknowledge()).toBe(0x20);
  });

  it('special mask mode lets lower inputs through a masked one in service', () => {
    raise(3);
    pic.acknowledge();
    raise(6);
    expect(pending).toBe(false);
    pic.master.write(1, 1, 0x08);
    pic.master.write(0, 1, 0x68);
    expect(pending).toBe(true);
    expect(pic.acknowledge()).toBe(0x26);
  });

  it('polls', () => {
    raise(4);
    pic.master.write(0, 1, 0x0c);
    expect(pic.master.peek(0, 1)).toBe(0x84);
    expect(pic.master.read(0, 1)).toBe(0x84);
    expect(pending).toBe(false);
    pic.master.write(0, 1, 0x0b);
    expect(pic.master.read(0, 1)).toBe(0x10);
  });

  it('restores in the middle of service', () => {
    raise(8);
    pic.acknowledge();
    raise(1);
    const other = new PicPair({ interrupt: () => {} });
    other.master.restore(JSON.parse(JSON.stringify(pic.master.save())));
    other.slave.restore(JSON.parse(JSON.stringify(pic.slave.save())));
    expect(other.pending).toBe(true);
    expect(other.acknowledge()).toBe(0x21);
    expect(() => other.master.restore({ ...pic.master.save(), output: 2 })).toThrow(
      'pic-master: output must be an integer from 0 to 1, not 2',
    );
    expect(() => pic.line(2)).toThrow('no PIC input 2');
  });
});
