/**
 * The ACPI tables of hardware-reduced ACPI (ACPI 6.4 chapter 5): RSDP, XSDT, FADT, MADT, DSDT, in one block for the ROM. No FACS: only sleep states
 * that keep memory need it. No SRAT: there is one node, and a range above 4 GiB in it would cost a Linux guest memory.
 */
import { GED_BASE, GED_RESET, GED_RESET_VALUE, GED_SLEEP_CONTROL, GED_SLEEP_STATUS, IOAPIC_BASE, LAPIC_BASE } from '../board';
import { le } from './aml';
import { dsdtBody } from './dsdt';

export interface AcpiConfig {
  smp: number;
  /** Memory hotplug slots. */
  slots: number;
  /** Devices on the virtio-mmio bus; default 0. */
  virtio?: number;
}

export interface AcpiTables {
  /** To be placed at the given gpa; the RSDP comes first. */
  bytes: Uint8Array;
  tables: { signature: string; gpa: number; length: number }[];
}

const HEADER = 36;
const FADT_LENGTH = 276;
const FADT_FLAG_POWER_BUTTON = 1 << 4;
const FADT_FLAG_SLEEP_BUTTON = 1 << 5;
const FADT_FLAG_RESET = 1 << 10;
const FADT_FLAG_HW_REDUCED = 1 << 20;
/** IAPC_BOOT_ARCH: no VGA, no 8042, an RTC. */
const BOOT_ARCH_NO_VGA = 1 << 2;

export function buildAcpi(gpa: number, config: AcpiConfig): AcpiTables {
  const placed: AcpiTables['tables'] = [];
  const bytes: number[] = new Array<number>(64).fill(0);
  const place = (signature: string, revision: number, body: readonly number[]): number => {
    while (bytes.length % 16 !== 0) bytes.push(0);
    const at = gpa + bytes.length;
    const data = table(signature, revision, body);
    placed.push({ signature, gpa: at, length: data.length });
    bytes.push(...data);
    return at;
  };
  const dsdt = place('DSDT', 2, dsdtBody(config.slots, config.virtio ?? 0));
  const fadt = place('FACP', 6, fadtBody(dsdt));
  const madt = place('APIC', 4, madtBody(config.smp));
  const xsdt = place(
    'XSDT',
    1,
    [fadt, madt].flatMap((at) => le(BigInt(at), 8)),
  );
  rsdp(xsdt).forEach((byte, index) => {
    bytes[index] = byte;
  });
  return { bytes: Uint8Array.from(bytes), tables: placed };
}

function table(signature: string, revision: number, body: readonly number[]): number[] {
  const bytes = [
    ...text(signature, 4),
    ...le(BigInt(HEADER + body.length), 4),
    revision,
    0,
    ...text('LABPC', 6),
    ...text('MEMSLOTS', 8),
    ...le(1n, 4),
    ...text('LAB', 4),
    ...le(1n, 4),
    ...body,
  ];
  bytes[9] = checksum(bytes);
  return bytes;
}

function rsdp(xsdt: number): number[] {
  const bytes = [...text('RSD PTR ', 8), 0, ...text('LABPC', 6), 2, ...le(0n, 4), ...le(36n, 4), ...le(BigInt(xsdt), 8), 0, 0, 0, 0];
  bytes[8] = checksum(bytes.slice(0, 20));
  bytes[32] = checksum(bytes);
  return bytes;
}

function fadtBody(dsdt: number): number[] {
  const body = new Array<number>(FADT_LENGTH - HEADER).fill(0);
  const put = (offset: number, bytes: readonly number[]) => {
    bytes.forEach((byte, index) => {
      body[offset - HEADER + index] = byte;
    });
  };
  put(109, le(BigInt(BOOT_ARCH_NO_VGA), 2));
  put(112, le(BigInt(FADT_FLAG_POWER_BUTTON | FADT_FLAG_SLEEP_BUTTON | FADT_FLAG_RESET | FADT_FLAG_HW_REDUCED), 4));
  put(116, registerAt(GED_BASE + GED_RESET));
  put(128, [GED_RESET_VALUE]);
  put(131, [3]);
  put(140, le(BigInt(dsdt), 8));
  put(244, registerAt(GED_BASE + GED_SLEEP_CONTROL));
  put(256, registerAt(GED_BASE + GED_SLEEP_STATUS));
  return body;
}

/** Generic address structure: one byte of system memory. */
function registerAt(gpa: number): number[] {
  return [0, 8, 0, 1, ...le(BigInt(gpa), 8)];
}

function madtBody(smp: number): number[] {
  const lapics = Array.from({ length: smp }, (_unused, id) => [0, 8, id, id, ...le(1n, 4)]);
  const ioapic = [1, 12, 0, 0, ...le(BigInt(IOAPIC_BASE), 4), ...le(0n, 4)];
  return [...le(BigInt(LAPIC_BASE), 4), ...le(0n, 4), ...lapics.flat(), ...ioapic];
}

function checksum(bytes: readonly number[]): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

function text(value: string, length: number): number[] {
  return [...value.padEnd(length, ' ')].map((letter) => letter.charCodeAt(0));
}
