/** Detects a guest that cannot continue although its machine runs: it printed a panic, or every vCPU halted with interrupts off. */
import { Halted, type Vcpu } from './vcpu';

const IF = 0x200;
const NEWLINE = 10;
const LONGEST = 200;
/** Printed by kernel/panic.c, with or without a time stamp. */
const PANIC = /^(?:\[ *\d+\.\d+\] ?)?Kernel panic - not syncing/;

/**
 * Watches the serial console for Linux's panic message. This board has no panic device (QEMU has pvpanic), so any guest that prints the line counts
 * as panicked.
 */
export class PanicWatch {
  seen = false;
  private line = '';

  /** A byte from the guest. */
  hear(byte: number): void {
    if (byte === NEWLINE) this.line = '';
    else if (this.line.length < LONGEST) {
      this.line += String.fromCharCode(byte);
      // Checks each byte while the line is short: a panic's line may never end.
      if (byte === 0x67 && PANIC.test(this.line)) this.seen = true;
    }
  }

  /** A different guest, or the same one restarted; `panicked`: a restored guest that had panicked. */
  restart(panicked = false): void {
    this.seen = panicked;
    this.line = '';
  }
}

/** Has every started vCPU halted with interrupts off? Then only an NMI or a reset wakes the guest. */
export function haltedForGood(vcpus: readonly Vcpu[]): boolean {
  const started = vcpus.filter(({ halted }) => halted !== Halted.waitForSipi);
  return started.length > 0 && started.every((vcpu) => vcpu.halted === Halted.halted && !vcpu.nmiPending && (vcpu.flags & IF) === 0);
}

/** The pages that a vCPU needs to continue: those of its next instruction and its page tables. */
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
