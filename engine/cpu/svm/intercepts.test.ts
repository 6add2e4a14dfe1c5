/** Every intercept of an instruction: its exit code, EXITINFO, RIP and NRIP, and that nothing exits without it. APM 2 15.7 to 15.11. */
import { beforeEach, describe, expect, it } from 'vitest';
import * as svm from '../../abi/svm';
import { GUEST, GUEST_HANDLERS, GUEST_STACK, IOPM, MSRPM, SvmCore } from '../../../test/support/svm';

let t: SvmCore;
beforeEach(() => {
  t = new SvmCore();
});

const length = (code: string): number => code.replaceAll(' ', '').length / 2;
const MOV = 1n << 63n;

/** Name, code, exit code, EXITINFO1, and how the guest ends without the intercept; undefined: at the following HLT. */
const INSTRUCTIONS: readonly [string, string, number, bigint, ('ud' | 'gp')?][] = [
  ['MOV RAX, CR0', '0f20c0', 0x00, MOV],
  ['MOV RBX, CR3', '0f20db', 0x03, MOV | 3n],
  ['MOV R9, CR4', '410f20e1', 0x04, MOV | 9n],
  ['MOV RAX, CR8', '440f20c0', 0x08, MOV],
  ['SMSW EAX', '0f01e0', 0x00, 0n],
  ['MOV CR3, RBX', '0f22db', 0x13, MOV | 3n, 'gp'],
  ['CLTS', '0f06', 0x10, 0n],
  ['MOV RAX, DR0', '0f21c0', 0x20, 0n],
  ['MOV RDX, DR7', '0f21fa', 0x27, 2n],
  ['MOV DR1, RCX', '0f23c9', 0x31, 1n],
  ['SIDT [RSP]', '0f010c24', 0x66, 0n],
  ['SGDT [RSP]', '0f010424', 0x67, 0n],
  ['SLDT EAX', '0f00c0', 0x68, 0n],
  ['STR EAX', '0f00c8', 0x69, 0n],
  ['LLDT AX', '0f00d0', 0x6c, 0n],
  ['RDTSC', '0f31', 0x6e, 0n],
  ['RDPMC', '0f33', 0x6f, 0n, 'gp'],
  ['PUSHF', '9c', 0x70, 0n],
  ['CPUID', '0fa2', 0x72, 0n],
  ['INT 0x30', 'cd30', 0x75, 0x30n],
  ['INVD', '0f08', 0x76, 0n],
  ['PAUSE', 'f390', 0x77, 0n],
  ['INVLPG [RSP]', '0f013c24', 0x79, BigInt(GUEST_STACK)],
  ['INVLPGA', '0f01df', 0x7a, 0n],
  ['VMMCALL', '0f01d9', 0x81, 0n, 'ud'],
  ['VMLOAD', '0f01da', 0x82, 0n],
  ['VMSAVE', '0f01db', 0x83, 0n],
  ['STGI', '0f01dc', 0x84, 0n],
  ['CLGI', '0f01dd', 0x85, 0n],
  ['RDTSCP', '0f01f9', 0x87, 0n],
  ['INT1', 'f1', 0x88, 0n],
  ['WBINVD', '0f09', 0x89, 0n],
  ['INT3', 'cc', 0x43, 0n],
];
const WORDS = ['cr', 'dr', 'exceptions', 'third', 'fourth'] as const;

function intercept(code: number): void {
  t.intercept(WORDS[code >> 5]!, 1 << (code & 31));
}

describe.each(INSTRUCTIONS)('%s', (_name, code, exitCode, info1, without) => {
  beforeEach(() => {
    t.setReg('rcx', 0);
    t.setReg('rbx', 1n << 63n); // no CR3
    t.put(svm.VMCB_RAX, 0n);
  });

  it('is intercepted', () => {
    intercept(exitCode);
    const exit = t.guest(code);
    expect(exit).toEqual({ code: BigInt(exitCode), info1, info2: 0n, event: 0n, nrip: BigInt(GUEST + length(code)), rip: BigInt(GUEST) });
  });

  it('runs if it is not intercepted', () => {
    const exit = t.guest(code);
    expect(exit.code).toBe(0x78n);
    const at = Number(exit.rip);
    if (without) expect(at).toBe(GUEST_HANDLERS + 16 * (without === 'ud' ? 6 : 13));
    else if (!code.startsWith('cd') && code !== 'cc' && code !== 'f1') expect(at).toBe(GUEST + length(code));
  });
});

describe('what precedes an intercept', () => {
  beforeEach(() => {
    // CPL 3; pages are the user's.
    t.putSegment(svm.VMCB_CS, 8 | 3, 0xafb, 0xffffffff, 0n);
    t.putSegment(svm.VMCB_SS, 16 | 3, 0xcf3, 0xffffffff, 0n);
    t.put(0x4c8, 3n << 24n);
    t.intercept('exceptions', (1 << 13) | (1 << 6));
  });

  it.each([
    ['MOV RAX, CR0', '0f20c0', 0x00],
    ['HLT', 'f4', 0x78],
    ['CLTS', '0f06', 0x10],
    ['INVLPG', '0f013c24', 0x79],
    ['LIDT', '0f011c24', 0x6a],
    ['STGI', '0f01dc', 0x84],
    ['VMRUN', '0f01d8', 0x80],
    ['RDMSR', '0f32', 0x7c],
    ['WBINVD', '0f09', 0x89],
  ])('%s above CPL 0 is #GP', (_name, code, exitCode) => {
    intercept(exitCode);
    expect(t.guest(code)).toMatchObject({ code: 0x4dn, info1: 0n, rip: BigInt(GUEST) });
  });

  it('CPUID, RDTSC, PAUSE and VMMCALL have no such check', () => {
    for (const [code, exitCode] of [
      ['0fa2', 0x72],
      ['0f31', 0x6e],
      ['f390', 0x77],
      ['0f01d9', 0x81],
    ] as const) {
      intercept(exitCode);
      expect(t.guest(code).code).toBe(BigInt(exitCode));
    }
  });

  it('an SVM instruction of a guest without EFER.SVME cannot be: such a guest is refused', () => {
    t.put(svm.VMCB_EFER, 0x500n);
    expect(t.guest('0f01d8').code).toBe(0xffffffffffffffffn);
  });
});

describe('CR0', () => {
  it('selective intercept: only what changes more than TS and MP', () => {
    intercept(0x65);
    t.put(svm.VMCB_RAX, 0x8000003bn); // TS and MP more
    expect(t.done(t.guest('0f22c0'))).toBe(true);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    t.put(svm.VMCB_RAX, 0x80040031n); // AM more
    expect(t.guest('0f22c0')).toMatchObject({ code: 0x65n, info1: MOV });
  });

  it('LMSW counts as a change, CLTS does not; the plain intercept comes first', () => {
    intercept(0x65);
    expect(t.done(t.guest('0f06'))).toBe(true);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    expect(t.guest('0f01f0').code).toBe(0x65n);
    intercept(0x10);
    expect(t.guest('0f01f0').code).toBe(0x10n);
  });
});

describe('IN and OUT', () => {
  beforeEach(() => intercept(0x7b));

  it.each([
    ['IN AL, 0x70', 'e470', 0x70, 1, 0x700000n | 0x211n],
    ['OUT 0x71, EAX', 'e771', 0x73, 4, 0x710000n | 0x240n],
    ['IN AX, DX', '66ed', 0x3f9, 2, 0x3f80000n | 0x221n],
    ['OUTSB', '6e', 0x3f8, 1, 0x3f80000n | 0x214n | (3n << 10n)],
    ['REP INSD', 'f36d', 0x3fb, 4, 0x3f80000n | 0x24dn],
    ['OUTSW 32-bit address', '67666f', 0x3f8, 2, 0x3f80000n | 0x124n | (3n << 10n)],
  ])('%s checks the map for each port that it touches', (_name, code, port, _size, info1) => {
    t.setReg('rdx', 0x3f8);
    t.setReg('rcx', 2);
    t.poke(IOPM + (port >> 3), [1 << (port & 7)]);
    expect(t.guest(code)).toEqual({
      ...{ code: 0x7bn, info1, event: 0n, rip: BigInt(GUEST) },
      ...{ info2: BigInt(GUEST + length(code)), nrip: BigInt(GUEST + length(code)) },
    });
    expect(t.accesses).toEqual([]);
  });

  it('reaches the device if the map allows it', () => {
    t.poke(IOPM + 0xe, [0xfe]);
    expect(t.done(t.guest('e470'))).toBe(true);
    expect(t.accesses).toMatchObject([{ kind: 'ioRead', address: 0x70, size: 1 }]);
  });

  it('REP with a count of zero does nothing', () => {
    t.setReg('rcx', 0);
    t.setReg('rdx', 0x3f8);
    t.poke(IOPM + (0x3f8 >> 3), [0xff]);
    expect(t.done(t.guest('f36e'))).toBe(true);
  });
});

describe('RDMSR and WRMSR', () => {
  beforeEach(() => intercept(0x7c));

  it.each([
    ['SYSENTER_CS', 0x174, 0, 0x174],
    ['STAR', 0xc0000081, 0x800, 0x81],
    ['VM_CR', 0xc0010114, 0x1000, 0x114],
  ])('%s: one bit for reading, one for writing', (_name, index, range, low) => {
    const bit = low * 2;
    for (const writes of [0, 1]) {
      t.setReg('rcx', index);
      t.setReg('rdx', 0);
      t.put(svm.VMCB_RAX, 0n);
      t.put(svm.VMCB_RIP, BigInt(GUEST));
      t.poke(MSRPM + range + (bit >> 3), [1 << ((bit & 7) + writes)]);
      expect(t.guest(writes ? '0f30' : '0f32')).toMatchObject({ code: 0x7cn, info1: BigInt(writes) });
      expect(t.done(t.guest(writes ? '0f32' : '0f30'))).toBe(true);
    }
  });

  it('outside the map every access is intercepted', () => {
    t.setReg('rcx', 0x2000);
    expect(t.guest('0f32').code).toBe(0x7cn);
  });
});

describe('shutdown', () => {
  it('exits instead of shutting the processor down', () => {
    t.putSegment(svm.VMCB_IDTR, 0, 0, 0, 0n);
    expect(t.guest('0f0b')).toMatchObject({ code: 0x7fn });
  });
});
