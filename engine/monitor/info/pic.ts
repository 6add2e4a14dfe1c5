/** info pic: the 8259s and the I/O APIC in the format of QEMU 7.2. */
import type { IoApicState, PicState } from '../../machine/index';

const FIRST_REDIRECTION = 0x10;
const [LOGICAL, ACTIVE_LOW, REMOTE_IRR, LEVEL, MASKED] = [11, 13, 14, 15, 16] as const;
const DELIVERY = ['fixed', 'lowest', 'SMI', '...', 'NMI', 'INIT', '...', 'extINT'];

const two = (value: number): string => value.toString(16).padStart(2, '0');

/** `pics`: master first. */
export function picText(pics: readonly PicState[]): string {
  const lines = pics.map(
    ({ irr, imr, isr, highest, base, readIsr, elcr, fullyNested }, index) =>
      `pic${index}: irr=${two(irr)} imr=${two(imr)} isr=${two(isr)} hprio=${highest} irq_base=${two(base)} ` +
      `rr_sel=${readIsr ? 1 : 0} elcr=${two(elcr)} fnm=${fullyNested ? 1 : 0}\n`,
  );
  // QEMU 7.2 prints the second one first.
  return lines.reverse().join('');
}

export function ioapicText({ version, id, select, entries, irr }: IoApicState): string {
  // Registers below the table are unsigned 32-bit numbers, as in QEMU.
  const selected = select === 0 ? '' : ` (redir[${((select - FIRST_REDIRECTION) >> 1) >>> 0}])`;
  const remote = entries.reduce((bits, entry, pin) => (has(entry, LEVEL) && has(entry, REMOTE_IRR) ? bits | (1 << pin) : bits), 0);
  return (
    `ioapic0: ver=0x${version.toString(16)} id=0x${two(id)} sel=0x${two(select)}${selected}\n` +
    `${entries.map(pinText).join('')}${pinsText('  IRR', irr)}${pinsText('  Remote IRR', remote)}`
  );
}

function pinText(entry: bigint, pin: number): string {
  const logical = has(entry, LOGICAL);
  const destination = Number((entry >> 56n) & (logical ? 0xffn : 0xfn)).toString(16);
  const words = [
    has(entry, ACTIVE_LOW) ? 'active-lo' : 'active-hi',
    (has(entry, LEVEL) ? 'level' : 'edge').padEnd(5),
    (has(entry, MASKED) ? 'masked' : '').padEnd(6),
    DELIVERY[Number((entry >> 8n) & 7n)]!.padEnd(6),
    logical ? 'logical' : 'physical',
  ];
  const vector = String(entry & 0xffn).padEnd(3);
  return `  pin ${String(pin).padEnd(2)} 0x${entry.toString(16).padStart(16, '0')} dest=${destination} vec=${vector} ${words.join(' ')}\n`;
}

/** The pins whose bit is set; each is followed by a blank, as in QEMU. */
function pinsText(name: string, bits: number): string {
  const pins = Array.from({ length: 24 }, (_, pin) => pin).filter((pin) => bits & (1 << pin));
  return `${name.padEnd(10)} ${pins.length === 0 ? '(none)' : pins.map((pin) => `${String(pin).padEnd(2)} `).join('')}\n`;
}

const has = (entry: bigint, bit: number): boolean => ((entry >> BigInt(bit)) & 1n) === 1n;
