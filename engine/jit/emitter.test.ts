/** Rules for a region while it is generated; otherwise an exit would lose part of the guest's state. */
import { describe, expect, it } from 'vitest';
import { VCPU_GPR, VCPU_XMM } from '../abi/vcpu';
import { Emitter } from './emitter';
import { moduleOf } from './module';

const RBX = VCPU_GPR + 3 * 8;

describe('a region cannot be written', () => {
  it('with a register that was not loaded, or that no exit stores', () => {
    const e = new Emitter();
    expect(() => e.readRegister(RBX, 3)).toThrow('register 3 is read, and was not loaded');
    e.used = 1 << 3;
    expect(() => e.readRegister(RBX, 3)).not.toThrow();
    expect(() => e.writeRegister(RBX + 1, 0)).toThrow('register 3 is written, and no exit stores it');
    e.dirty = 1 << 3;
    expect(() => e.writeRegister(RBX + 1, 0)).not.toThrow();
  });

  it('with an XMM register that was not loaded', () => {
    const e = new Emitter();
    expect(() => e.xmm(VCPU_XMM + 5 * 16)).toThrow('xmm5 is used, and was not loaded');
  });

  it('with an exit that gives back more instructions than its block took', () => {
    const e = new Emitter();
    e.region(() => {
      e.claim(0, 5);
      e.exit(8, 5, 1);
      expect(() => e.exit(8, 6, 1)).toThrow('an exit gives back 6 instructions of 5');
    });
  });

  it('with a block that is still open', () => {
    const e = new Emitter();
    e.code.block();
    expect(() => moduleOf({ imports: [], helpers: [] }, { parameters: [], results: [] }, [], e.code)).toThrow(
      '1 blocks of the region are still open',
    );
  });
});
