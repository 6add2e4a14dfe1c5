/** The board's fixed numbers: addresses, ports and lines. This is their only place: loaders, ACPI tables, guests and docs use these. */

/** COM1, 16550A. */
export const SERIAL_PORT = 0x3f8;
export const SERIAL_IRQ = 4;
export const PIC_MASTER_PORT = 0x20;
export const PIC_SLAVE_PORT = 0xa0;
export const PIT_PORT = 0x40;
export const PIT_IRQ = 0;
/** NMI status and control: PIT channel 2 gate (bit 0), speaker (1), refresh toggle (4), channel 2 OUT (5). */
export const SYSTEM_CONTROL_PORT = 0x61;
export const RTC_PORT = 0x70;
export const RTC_IRQ = 8;
export const DEBUGCON_PORT = 0xe9;
/** System control port A: fast reset. */
export const PORT92 = 0x92;
/** PCI configuration address; the reset control register is its second byte, 0xCF9. */
export const RESET_CONTROL_PORT = 0xcf8;
/** A write drops IRQ 13 and asserts IGNNE#. */
export const COPROCESSOR_PORT = 0xf0;
export const COPROCESSOR_IRQ = 13;
/** 0x64 must read 0 (no keyboard), not 0xff. */
export const KEYBOARD_STATUS_PORT = 0x64;
/** Value written there for the 8042's "pulse the reset line", the only part of it on this board. */
export const KEYBOARD_RESET_COMMAND = 0xfe;

/** QEMU's ACPI memory hotplug register block, 24 bytes, on I/O ports as on QEMU's pc machine. */
export const MEMHP_PORT = 0xa00;
export const MEMHP_LENGTH = 24;

export const IOAPIC_BASE = 0xfec00000;
export const LAPIC_BASE = 0xfee00000;

/** Generic event device (ACPI0013): +0 u32 event selector, read clears. Sleep control/status, reset: +0x200.. */
export const GED_BASE = 0xfea00000;
export const GED_LENGTH = 0x1000;
export const GED_IRQ = 9;
export const GED_EVENT_MEMORY = 1;
export const GED_EVENT_POWER_BUTTON = 2;
export const GED_SLEEP_CONTROL = 0x200;
export const GED_SLEEP_STATUS = 0x201;
export const GED_RESET = 0x202;
/** Written to GED_RESET: reset. */
export const GED_RESET_VALUE = 0x42;

/** The virtio-mmio bus: a window and an interrupt for each device, on the I/O APIC's pins above the ISA ones. */
const VIRTIO_BASE = 0xfeb00000;
export const VIRTIO_FIRST_GSI = 16;
export const VIRTIO_COUNT = 8;
export const virtioBase = (place: number): number => VIRTIO_BASE + place * 0x200;

/** PC holes. */
export const LOW_RAM_END = 0xa0000;
export const HIGH_RAM_START = 0x100000;
/** F000:FFF0, where a PC starts. Guests jump there to restart the machine, as Linux does on a board like this without EFI. */
export const RESET_VECTOR = 0xffff0;
/** ACPI tables lie in [ROM_START, HIGH_RAM_START). */
export const ROM_START = 0xe0000;
/** No RAM and no DIMM in [PCI_HOLE_START, 4 GiB). */
export const PCI_HOLE_START = 0xe0000000;
export const FOUR_GIB = 0x100000000;

/** Guest TSC and guest clock run at 1 GHz; an instruction takes 2^CLOCK_SHIFT ns. */
export const CLOCK_SHIFT = 3;
