/** VMRUN's consistency checks, the state that VMRUN loads and #VMEXIT saves, and the other instructions of SVM. APM 2 15.5, 15.6. */
import { beforeEach, describe, expect, it } from 'vitest';
import { EXIT_HLT, EXIT_RETRY, PAGE_INVALID } from '../../abi/exits';
import * as svm from '../../abi/svm';
import * as abi from '../../abi/vcpu';
import { GUEST, SvmCore, VMCB } from '../../../test/support/svm';

const INVALID = 0xffffffffffffffffn;
let t: SvmCore;
beforeEach(() => {
  t = new SvmCore();
});

describe('VMEXIT_INVALID', () => {
  const WRONG: readonly [string, () => void][] = [
    ['EFER.SVME is clear', () => t.put(svm.VMCB_EFER, 0x500n)],
    ['a reserved bit of EFER', () => t.put(svm.VMCB_EFER, 0x9500n)],
    ['CR0.NW without CD', () => t.put(svm.VMCB_CR0, 0xa0000031n)],
    ['the upper half of CR0', () => t.put(svm.VMCB_CR0, 0x180000031n)],
    ['CR3 beyond the physical addresses, in long mode', () => t.put(svm.VMCB_CR3, 1n << 46n)],
    ['a reserved bit of CR4', () => t.put(svm.VMCB_CR4, 0x8620n)],
    ['the upper half of DR6', () => t.put(svm.VMCB_DR6, 0x1ffff0ff0n)],
    ['the upper half of DR7', () => t.put(svm.VMCB_DR7, 0x100000400n)],
    ['long mode without PAE', () => t.put(svm.VMCB_CR4, 0n)],
    ['long mode without PE', () => t.put(svm.VMCB_CR0, 0x80000010n)],
    ['CS with L and D', () => t.putSegment(svm.VMCB_CS, 8, 0xe9b, 0xffffffff, 0n)],
    ['VMRUN is not intercepted', () => t.poke(VMCB + 0x10, [0])],
    ['the I/O map ends beyond the physical addresses', () => t.put(svm.VMCB_IOPM, (1n << 46n) - 0x2000n)],
    ['the MSR map ends beyond the physical addresses', () => t.put(svm.VMCB_MSRPM, (1n << 46n) - 0x1000n)],
    ['ASID 0', () => t.put(svm.VMCB_ASID, 0n)],
    ['an event of type 1', () => t.put(svm.VMCB_EVENTINJ, 0x80000120n)],
    ['exception 2', () => t.put(svm.VMCB_EVENTINJ, 0x80000302n)],
    ['exception 32', () => t.put(svm.VMCB_EVENTINJ, 0x80000320n)],
    [
      'a PAT that is none, with nested paging',
      () => {
        t.put(svm.VMCB_NP_ENABLE, 1n);
        t.put(svm.VMCB_NCR3, 0x1000n);
        t.put(svm.VMCB_G_PAT, 2n);
      },
    ],
    ['virtual-8086 mode, which this processor does not have', () => t.put(svm.VMCB_RFLAGS, 0x20002n)],
  ];

  it.each(WRONG)('%s', (_name, spoil) => {
    spoil();
    const rip = t.get(svm.VMCB_RIP);
    const exit = t.guest('90');
    expect(exit).toMatchObject({ code: INVALID, info1: 0n, info2: 0n, event: 0n, rip });
    expect(t.get32(svm.SVM_GIF_CLEAR)).toBe(1);
    expect(t.reg('rax')).toBe(BigInt(VMCB));
  });

  it('does not refuse valid bytes', () => {
    expect(t.done(t.guest('90'))).toBe(true);
  });
});

describe('VMRUN', () => {
  it.each([
    ['an address inside a page', VMCB + 8],
    ['an address beyond the physical ones', 2 ** 46],
    ['an address without memory', 0x40000000],
  ])('raises #GP for %s', (_name, rax) => {
    t.rip = 0x10000n;
    t.setReg('rax', rax);
    t.run(10);
    expect(t.get32(abi.VCPU_FAULT_VECTOR)).not.toBe(0);
    expect(t.logs[0]?.[1]).toBe(13);
  });

  it('is #UD without EFER.SVME', () => {
    t.set64(abi.VCPU_EFER, 0x500n);
    t.core.stateChanged(0);
    t.rip = 0x10000n;
    t.setReg('rax', VMCB);
    t.run(10);
    expect(t.logs[0]?.[1]).toBe(6);
  });

  it('loads the guest and restores the host, whatever the guest did to the registers', () => {
    t.set64(abi.VCPU_CR8, 5n);
    t.setReg('rbx', 7);
    t.putSegment(svm.VMCB_DS, 0x33, 0xcf3, 0xfffff, 0x123000n);
    // mov ebx, 8; mov esp, 9; mov cr2, rbx; stc
    const exit = t.guest('bb08000000 bc09000000 0f22d3 f9');
    expect(t.done(exit)).toBe(true);
    expect([t.reg('rbx'), t.reg('rsp'), t.reg('rax')]).toEqual([8n, 0x80000n, BigInt(VMCB)]);
    expect([t.get(svm.VMCB_RSP), t.get(svm.VMCB_CR2), t.get(svm.VMCB_RFLAGS) & 1n]).toEqual([9n, 8n, 1n]);
    expect(t.get(svm.VMCB_DS)).toBe(0x000fffff0cf30033n);
    expect(t.get(svm.VMCB_DS + 8)).toBe(0x123000n);
    expect(t.get64(abi.VCPU_CR0)).toBe(0x80000011n);
    expect(t.get64(abi.VCPU_DR7)).toBe(0x400n);
  });

  it('runs a guest in real mode under nested paging, and one at CPL 3', () => {
    t.put(svm.VMCB_NP_ENABLE, 1n);
    t.put(svm.VMCB_NCR3, 0x1000n);
    t.realGuest();
    // mov ax, 0x1234; mov [0x600], ax; inc ax
    const exit = t.guest('b83412 a30006 40');
    expect(t.done(exit)).toBe(true);
    expect(exit.rip).toBe(7n);
    expect(t.get(svm.VMCB_RAX) & 0xffffn).toBe(0x1235n);
    expect(t.peek(0x600, 2)).toBe(0x1234n);
  });

  it('adds the TSC offset, for RDTSC and the MSR', () => {
    t.put(svm.VMCB_TSC_OFFSET, 1n << 40n);
    t.guest('0f31');
    expect(t.reg('rdx')).toBe(0x100n);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    t.setReg('rcx', 0x10);
    t.guest('0f32');
    expect(t.reg('rdx')).toBe(0x100n);
  });

  it('waits while the VMCB is in an INVALID memslot, at its entry and at its exit', () => {
    t.poke(GUEST, '48ffc3 f4');
    t.rip = 0x10000n;
    t.setReg('rax', VMCB);
    t.setReg('rbx', 0);
    t.pageFlags.set(VMCB / 4096, PAGE_INVALID);
    expect(t.run(100)).toBe(EXIT_RETRY);
    expect([t.get32(svm.SVM_GUEST), t.rip]).toEqual([0, 0x10000n]);
    t.pageFlags.clear();
    t.core.zapGfnRange(VMCB / 4096, 1);
    expect(t.run(2)).toBe(0);
    expect([t.get32(svm.SVM_GUEST), t.reg('rbx')]).toEqual([1, 1n]);
    t.pageFlags.set(VMCB / 4096, PAGE_INVALID);
    t.core.zapGfnRange(VMCB / 4096, 1);
    expect(t.run(100)).toBe(EXIT_RETRY);
    expect(t.get32(svm.SVM_GUEST)).toBe(1);
    t.pageFlags.clear();
    t.core.zapGfnRange(VMCB / 4096, 1);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.exit()).toMatchObject({ code: 0x78n, rip: BigInt(GUEST + 3) });
  });
});

describe('VMSAVE and VMLOAD', () => {
  it('transfer the registers that VMRUN leaves alone', () => {
    t.set64(abi.VCPU_STAR, 0x1234n);
    t.set64(abi.VCPU_KERNEL_GS_BASE, 0x5678n);
    t.set64(abi.VCPU_SYSENTER_EIP, 0x9abcn);
    t.segment(abi.SEG_FS, 0x2b, 0x777000n, 0xfff, 0x893);
    t.setReg('rax', VMCB);
    t.poke(0x11000, '0f01db 0f01da f4');
    t.rip = 0x11000n;
    t.run(1);
    expect([t.get(svm.VMCB_STAR), t.get(svm.VMCB_KERNEL_GS_BASE), t.get(svm.VMCB_SYSENTER_EIP)]).toEqual([0x1234n, 0x5678n, 0x9abcn]);
    expect([t.get(svm.VMCB_FS), t.get(svm.VMCB_FS + 8)]).toEqual([0x00000fff0893002bn, 0x777000n]);
    t.put(svm.VMCB_STAR, 0x4321n);
    t.put(svm.VMCB_GS + 8, 0xabc000n);
    t.run(1);
    expect(t.get64(abi.VCPU_STAR)).toBe(0x4321n);
    expect(t.get64(abi.VCPU_SEG + abi.SEG_GS * abi.VCPU_SEG_SIZE)).toBe(0xabc000n);
  });
});

describe('MSRs', () => {
  const wrmsr = (index: number, value: bigint): number => {
    t.logs.length = 0;
    t.setReg('rcx', index);
    t.setReg('rax', value & 0xffffffffn);
    t.setReg('rdx', value >> 32n);
    t.poke(0x11000, '0f30 f4');
    t.rip = 0x11000n;
    t.set32(abi.VCPU_HALTED, 0);
    t.run(5);
    return t.logs[0]?.[1] ?? 0;
  };

  it('VM_HSAVE_PA accepts the address of a page', () => {
    expect(wrmsr(0xc0010117, 0x5000n)).toBe(0);
    expect(wrmsr(0xc0010117, 0x5008n)).toBe(13);
  });

  it('VM_CR: SVMDIS forbids EFER.SVME, and the lock keeps both', () => {
    expect(wrmsr(0xc0000080, 0x500n)).toBe(0);
    expect(wrmsr(0xc0010114, 0x18n)).toBe(0);
    expect(wrmsr(0xc0010114, 0n)).toBe(0);
    expect(t.get64(svm.SVM_VM_CR)).toBe(0x18n);
    expect(wrmsr(0xc0000080, 0x1500n)).toBe(13);
  });

  it('are unknown on lab64, and EFER.SVME is reserved there', () => {
    t.set32(svm.VCPU_CPU_MODEL, 0);
    expect(wrmsr(0xc0000080, 0x1500n)).toBe(13);
    t.core.resetVcpu(0);
    t.longMode(0x11000);
    expect(wrmsr(0xc0010114, 0n)).not.toBe(0);
  });
});

describe('SYSCALL in compatibility mode', () => {
  it('goes to CSTAR on an AMD processor, and is #UD on an Intel one', () => {
    const start = (model: number): void => {
      t.set32(svm.VCPU_CPU_MODEL, model);
      t.segment(abi.SEG_CS, 0x23, 0n, 0xffffffff, 0xcfb);
      t.segment(abi.SEG_SS, 0x2b, 0n, 0xffffffff, 0xcf3);
      t.set64(abi.VCPU_EFER, 0x501n);
      t.set64(abi.VCPU_STAR, 0x00080000_00000000n);
      t.set64(abi.VCPU_CSTAR, 0x12000n);
      t.poke(0x11000, '0f05');
      t.poke(0x12000, 'f4');
      t.rip = 0x11000n;
      t.core.stateChanged(0);
    };
    start(svm.CPU_MODEL_LAB64_SVM);
    t.run(2);
    expect([t.rip, t.reg('rcx'), t.get32(abi.VCPU_CPL)]).toEqual([0x12001n, 0x11002n, 0]);
    start(svm.CPU_MODEL_LAB64);
    t.set32(abi.VCPU_HALTED, 0);
    t.run(2);
    expect(t.logs.at(-1)?.[1]).toBe(6);
  });
});
