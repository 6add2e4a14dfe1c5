/**
 * Does what firmware does: builds the memory map from the memslots, places tables and a reset vector in ROM and the guest in memory, and sets vCPU 0
 * to its entry.
 */
import type { CoreExports } from '../abi/core';
import type { MemslotEngine } from '../memory/index';
import { MemFlag } from '../memory/types';
import { type AcpiConfig, buildAcpi } from './acpi/tables';
import type { GuestImage } from './api';
import { piecesOf } from './backing-rule';
import { KEYBOARD_RESET_COMMAND, KEYBOARD_STATUS_PORT, RESET_VECTOR, ROM_START } from './board';
import type { BootKind, BootSlot } from './boot-ram';
import { E820_RAM, E820_RESERVED, type E820Entry, makeE820 } from './e820';
import { enterGuest } from './enter';
import type { HostMemory } from './host-memory';
import { loadGuest } from './loaders/detect';
import type { EntryState } from './loaders/image';
import type { PhysicalMemory } from './physical';
import type { Vcpu } from './vcpu';

const PAGE = 4096;
/** cli; hlt; jmp back: run by a machine without a guest. */
const NOTHING = Uint8Array.of(0xfa, 0xf4, 0xeb, 0xfd);

/** mov al, FEh; out 64h, al; cli; hlt: the code at the reset vector. */
const RESTART = Uint8Array.of(0xb0, KEYBOARD_RESET_COMMAND, 0xe6, KEYBOARD_STATUS_PORT, 0xfa, 0xf4);

export class Firmware {
  bootSlots: readonly BootSlot[] = [];
  /** The guest's block size for hotplugged memory, bytes; undefined: the board's own is enough. */
  memoryBlock: number | undefined;

  constructor(
    private readonly host: HostMemory,
    private readonly engine: MemslotEngine,
    private readonly physical: PhysicalMemory,
    private readonly core: CoreExports,
    private readonly isDimm: (hva: number) => boolean,
    private readonly acpi: AcpiConfig,
  ) {}

  /** MachineError if the guest cannot be loaded into the memory of the machine. */
  start(vcpu: Vcpu, guest: GuestImage | undefined): void {
    const image = guest ?? { name: 'none.flat', kernel: NOTHING };
    const acpi = this.writeRom();
    const context = { physical: this.physical, e820: this.e820(acpi) };
    const entry: EntryState = loadGuest(image, acpi ? { ...context, rsdp: acpi.start } : context);
    this.memoryBlock = entry.memoryBlock;
    enterGuest(this.core, vcpu, entry);
  }

  /** ACPI announces DIMMs; memory that the guest cannot write is not RAM. */
  private e820(acpi: { start: number; end: number } | undefined): E820Entry[] {
    const sources = this.engine.memslots().flatMap((slot) => {
      const { userspaceAddr: hva, npages } = slot;
      const offset = slot.baseGfn * PAGE - hva;
      return piecesOf({ start: hva, end: hva + npages * PAGE }, this.host).map(({ start, end }) => ({
        start: start + offset,
        end: end + offset,
        type: this.isDimm(start) ? undefined : this.typeOf(slot.flags, start),
      }));
    });
    return makeE820(sources, acpi);
  }

  /** ACPI tables at ROM_START; undefined if a change of the layout removed the ROM. */
  private writeRom(): { start: number; end: number } | undefined {
    const { bytes } = buildAcpi(ROM_START, this.acpi);
    const end = Math.ceil((ROM_START + bytes.length) / PAGE) * PAGE;
    if (end > RESET_VECTOR) throw new Error(`the ACPI tables of ${bytes.length} bytes do not fit the ROM`);
    this.physical.write(RESET_VECTOR, RESTART);
    if (this.physical.write(ROM_START, bytes) < bytes.length) return undefined;
    return { start: ROM_START, end };
  }

  private typeOf(flags: number, hva: number): number {
    if ((flags & MemFlag.ReadOnly) !== 0) return E820_RESERVED;
    return this.bootKind(hva) === 'video' ? E820_RESERVED : E820_RAM;
  }

  /** The board's own memory at the hva. */
  bootKind(hva: number): BootKind | undefined {
    const { label } = this.host.rangeAt(hva) ?? { label: '' };
    return this.bootSlots.find((boot) => boot.name === label)?.kind;
  }
}
