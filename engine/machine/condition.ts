/** Detects a guest that cannot go on although its machine runs: it reported a panic, or every vCPU halted with interrupts off. */
import { Halted, type Vcpu } from './vcpu';

const IF = 0x200;
const NEWLINE = 10;
const LONGEST = 200;
/** kernel/panic.c, with or without the time before it. */
const PANIC = /^(?:\[ *\d+\.\d+\] ?)?Kernel panic - not syncing/;

/** Watches the serial console for Linux's last words. No device reports a panic here (QEMU has pvpanic), so any guest that prints the line is believed. */
export class PanicWatch {
  seen = false;
  private line = '';

  /** A byte that the guest sent. */
  hear(byte: number): void {
    if (byte === NEWLINE) this.line = '';
    else if (this.line.length < LONGEST) {
      this.line += String.fromCharCode(byte);
      // Each byte of a panic's line is checked while it is short: its end may never come.
      if (byte === 0x67 && PANIC.test(this.line)) this.seen = true;
    }
  }

  /** Another guest, or the same from its start; `panicked`: one that was saved after its last words. */
  restart(panicked = false): void {
    this.seen = panicked;
    this.line = '';
  }
}

/** Every vCPU that was started halted with interrupts off: only an NMI or a reset wakes it. */
export function haltedForGood(vcpus: readonly Vcpu[]): boolean {
  const started = vcpus.filter(({ halted }) => halted !== Halted.waitForSipi);
  return started.length > 0 && started.every((vcpu) => vcpu.halted === Halted.halted && !vcpu.nmiPending && (vcpu.flags & IF) === 0);
}

/** The pages that a vCPU cannot do without: where its next instruction and its page tables are. */
export function standsOn(vcpu: Vcpu, translate: (gva: bigint) => number | undefined): { gpa: number; name: string }[] {
  if (vcpu.halted === Halted.waitForSipi || vcpu.halted === Halted.shutdown) return [];
  const { rip, segments, cr0, cr3 } = vcpu.registers();
  const code = translate(BigInt.asUintN(64, rip + (segments[1]?.base ?? 0n)));
  const paging = (cr0 & (1n << 31n)) !== 0n;
  return [
    ...(code === undefined ? [] : [{ gpa: code, name: `the code that vCPU ${vcpu.index} runs` }]),
    ...(paging ? [{ gpa: Number(cr3 & 0xffffffffff000n), name: `the page tables of vCPU ${vcpu.index}` }] : []),
  ];
}
