/** info registers against texts that QEMU 7.2 printed: memlab in long mode, and a vCPU after reset. */
import { describe, expect, it } from 'vitest';
import type { VcpuRegisters } from '../machine/index';
import { dumpRegisters, registerValue } from './registers';

const segment = (selector: number, base: bigint, limit: number, attributes: number): VcpuRegisters['segments'][number] => ({
  selector,
  base,
  limit,
  attributes,
});

const common = {
  halted: false,
  dr: [0n, 0n, 0n, 0n, 0xffff0ff0n, 0x400n],
  fcw: 0x37f,
  fsw: 0,
  ftw: 0xffff,

  fop: 0,
  fip: 0n,
  fdp: 0n,
  mxcsr: 0x1f80,
  fpr: Array.from({ length: 8 }, () => ({ significand: 0n, exponent: 0 })),
  xmm: Array.from({ length: 16 }, (_, index) => ({ low: index === 1 ? 0x1234n : 0n, high: index === 1 ? 0xabcdn : 0n })),
  cr2: 0n,
  cr8: 0n,
} satisfies Partial<VcpuRegisters>;

const long: VcpuRegisters = {
  ...common,
  gpr: [0xffn, 0x3fdn, 0x3fdn, 0x9500n, 0x10efc8n, 0x3f9n, 0x3fan, 0x3f8n, 0n, 0x3fbn, 3n, 0n, 0n, 0n, 0n, 0n],
  rip: 0x100c6fn,
  rflags: 2,
  cpl: 0,
  segments: [
    segment(0x10, 0n, 0xffffffff, 0xc93),
    segment(8, 0n, 0xffffffff, 0xa9a),
    segment(0x10, 0n, 0xffffffff, 0xc93),
    segment(0x10, 0n, 0xffffffff, 0xc93),
    segment(0, 0n, 0, 0),
    segment(0, 0n, 0, 0),
    segment(0, 0n, 0xffff, 0x82),
    segment(0x18, 0x110000n, 0x67, 0x89),
  ],
  gdt: { base: 0x104580n, limit: 0x27 },
  idt: { base: 0x12a010n, limit: 0xfff },
  cr0: 0x80010011n,
  cr3: 0x105000n,
  cr4: 0x20n,
  kernelGsBase: 0n,
  efer: 0x500n,
};

const reset: VcpuRegisters = {
  ...common,
  gpr: [0n, 0n, 0x60fb1n, ...Array.from({ length: 13 }, () => 0n)],
  rip: 0xfff0n,
  rflags: 2,
  cpl: 0,
  segments: [
    segment(0, 0n, 0xffff, 0x93),
    segment(0xf000, 0xffff0000n, 0xffff, 0x9b),
    ...Array.from({ length: 4 }, () => segment(0, 0n, 0xffff, 0x93)),
    segment(0, 0n, 0xffff, 0x82),
    segment(0, 0n, 0xffff, 0x8b),
  ],
  gdt: { base: 0n, limit: 0xffff },
  idt: { base: 0n, limit: 0xffff },
  cr0: 0x60000010n,
  cr3: 0n,
  cr4: 0n,
  kernelGsBase: 0n,
  efer: 0n,
};

describe('info registers', () => {
  it('prints long mode as QEMU does', () => {
    expect(dumpRegisters(long)).toBe(`RAX=00000000000000ff RBX=0000000000009500 RCX=00000000000003fd RDX=00000000000003fd
RSI=00000000000003fa RDI=00000000000003f8 RBP=00000000000003f9 RSP=000000000010efc8
R8 =0000000000000000 R9 =00000000000003fb R10=0000000000000003 R11=0000000000000000
R12=0000000000000000 R13=0000000000000000 R14=0000000000000000 R15=0000000000000000
RIP=0000000000100c6f RFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0
ES =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]
CS =0008 0000000000000000 ffffffff 00af9a00 DPL=0 CS64 [-R-]
SS =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]
DS =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]
FS =0000 0000000000000000 00000000 00000000
GS =0000 0000000000000000 00000000 00000000
LDT=0000 0000000000000000 0000ffff 00008200 DPL=0 LDT
TR =0018 0000000000110000 00000067 00008900 DPL=0 TSS64-avl
GDT=     0000000000104580 00000027
IDT=     000000000012a010 00000fff
CR0=80010011 CR2=0000000000000000 CR3=0000000000105000 CR4=00000020
DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 
DR6=00000000ffff0ff0 DR7=0000000000000400
EFER=0000000000000500
FCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80
FPR0=0000000000000000 0000 FPR1=0000000000000000 0000
FPR2=0000000000000000 0000 FPR3=0000000000000000 0000
FPR4=0000000000000000 0000 FPR5=0000000000000000 0000
FPR6=0000000000000000 0000 FPR7=0000000000000000 0000
XMM00=0000000000000000 0000000000000000 XMM01=000000000000abcd 0000000000001234
XMM02=0000000000000000 0000000000000000 XMM03=0000000000000000 0000000000000000
XMM04=0000000000000000 0000000000000000 XMM05=0000000000000000 0000000000000000
XMM06=0000000000000000 0000000000000000 XMM07=0000000000000000 0000000000000000
XMM08=0000000000000000 0000000000000000 XMM09=0000000000000000 0000000000000000
XMM10=0000000000000000 0000000000000000 XMM11=0000000000000000 0000000000000000
XMM12=0000000000000000 0000000000000000 XMM13=0000000000000000 0000000000000000
XMM14=0000000000000000 0000000000000000 XMM15=0000000000000000 0000000000000000
`);
  });

  it('prints the reset state as QEMU does', () => {
    expect(dumpRegisters(reset).split('XMM00')[0]).toBe(`EAX=00000000 EBX=00000000 ECX=00000000 EDX=00060fb1
ESI=00000000 EDI=00000000 EBP=00000000 ESP=00000000
EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0
ES =0000 00000000 0000ffff 00009300
CS =f000 ffff0000 0000ffff 00009b00
SS =0000 00000000 0000ffff 00009300
DS =0000 00000000 0000ffff 00009300
FS =0000 00000000 0000ffff 00009300
GS =0000 00000000 0000ffff 00009300
LDT=0000 00000000 0000ffff 00008200
TR =0000 00000000 0000ffff 00008b00
GDT=     00000000 0000ffff
IDT=     00000000 0000ffff
CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000
DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 
DR6=00000000ffff0ff0 DR7=0000000000000400
EFER=0000000000000000
FCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80
FPR0=0000000000000000 0000 FPR1=0000000000000000 0000
FPR2=0000000000000000 0000 FPR3=0000000000000000 0000
FPR4=0000000000000000 0000 FPR5=0000000000000000 0000
FPR6=0000000000000000 0000 FPR7=0000000000000000 0000
`);
  });
});

describe('$register', () => {
  it('maps names to values', () => {
    expect(registerValue(long, 'rbx')).toBe(0x9500n);
    expect(registerValue(long, 'ebx')).toBe(0x9500n);
    expect(registerValue(long, 'sp')).toBe(0x10efc8n);
    expect(registerValue(long, 'r9')).toBe(0x3fbn);
    expect(registerValue(long, 'cr3')).toBe(0x105000n);
    expect(registerValue(long, 'ss')).toBe(0x10n);
    expect(registerValue(reset, 'pc')).toBe(0xfffffff0n);
    expect(registerValue(reset, 'cs.base')).toBe(0xffff0000n);
    for (const name of ['', 'foo', 'r16', 'rr', 'cr1', 'xs', 'cs.foo', '__proto__', 'constructor'])
      expect(registerValue(long, name)).toBeUndefined();
  });
});
