/**
 * The board's DSDT: COM1, RTC, power button, generic event device, and memory hotplug over QEMU's register block. The methods have the names of
 * QEMU's tables (docs/specs/acpi_mem_hotplug), so that logs look alike.
 */
import { VIRTIO_MMIO_LENGTH } from '../../devices/virtio/mmio';
import {
  GED_BASE,
  GED_EVENT_MEMORY,
  GED_EVENT_POWER_BUTTON,
  GED_IRQ,
  MEMHP_LENGTH,
  MEMHP_PORT,
  RTC_IRQ,
  RTC_PORT,
  SERIAL_IRQ,
  SERIAL_PORT,
  VIRTIO_FIRST_GSI,
  virtioBase,
} from '../board';
import * as aml from './aml';

const NOTIFY_DEVICE_CHECK = 1;
const NOTIFY_EJECT = 3;
const NOTIFY_BUTTON = 0x80;
const PRESENT = 0x0f;

/** slots: memory hotplug slots, 0..32. virtio: devices on the virtio-mmio bus. */
export function dsdtBody(slots: number, virtio: number): number[] {
  const devices = [com1(), rtc(), powerButton(), eventDevice(slots > 0)];
  if (slots > 0) devices.push(memoryHotplug(slots));
  for (let place = 0; place < virtio; place++) devices.push(virtioDevice(place));
  return [
    ...aml.scope('\\_SB', ...devices),
    ...aml.declare('\\_S5', aml.packageOf(aml.integer(5), aml.integer(0), aml.integer(0), aml.integer(0))),
  ];
}

function com1(): aml.Aml {
  return aml.device(
    'COM1',
    aml.declare('_HID', aml.eisaId('PNP0501')),
    aml.declare('_UID', aml.integer(1)),
    aml.declare('_STA', aml.integer(PRESENT)),
    aml.declare('_CRS', aml.template(aml.ioPorts(SERIAL_PORT, 8), aml.isaIrq(SERIAL_IRQ))),
  );
}

function rtc(): aml.Aml {
  return aml.device(
    'RTC',
    aml.declare('_HID', aml.eisaId('PNP0B00')),
    aml.declare('_CRS', aml.template(aml.ioPorts(RTC_PORT, 2), aml.isaIrq(RTC_IRQ))),
  );
}

/** LNRO0005: Linux's id for virtio-mmio. Lists only devices that exist: a driver would probe empty places, too. */
function virtioDevice(place: number): aml.Aml {
  return aml.device(
    `VR${hex2(place)}`,
    aml.declare('_HID', aml.string('LNRO0005')),
    aml.declare('_UID', aml.integer(place)),
    aml.declare('_CCA', aml.integer(1)),
    aml.declare('_CRS', aml.template(aml.fixedMemory(virtioBase(place), VIRTIO_MMIO_LENGTH), aml.levelInterrupt(VIRTIO_FIRST_GSI + place))),
  );
}

function powerButton(): aml.Aml {
  return aml.device('PWRB', aml.declare('_HID', aml.eisaId('PNP0C0C')), aml.declare('_UID', aml.integer(0)));
}

/** ACPI 5.6.9: the interrupt's method reads the selector, which clears it. */
function eventDevice(memory: boolean): aml.Aml {
  const whenSet = (bit: number, ...terms: aml.Aml[]) =>
    aml.when(aml.equal(aml.and(aml.local(0), aml.integer(bit)), aml.integer(bit)), ...terms);
  return aml.device(
    'GED',
    aml.declare('_HID', aml.string('ACPI0013')),
    aml.declare('_UID', aml.string('GED')),
    aml.declare('_CRS', aml.template(aml.edgeInterrupt(GED_IRQ))),
    aml.operationRegion('EREG', aml.SystemMemory, GED_BASE, 4),
    aml.field('EREG', aml.DWordAcc, aml.WriteAsZeros, [['ESEL', 32]]),
    aml.method(
      '_EVT',
      1,
      true,
      aml.store(aml.name('ESEL'), aml.local(0)),
      memory ? whenSet(GED_EVENT_MEMORY, aml.call('\\_SB.MHPC.MSCN')) : [],
      whenSet(GED_EVENT_POWER_BUTTON, aml.notify('\\_SB.PWRB', aml.integer(NOTIFY_BUTTON))),
    ),
  );
}

function memoryHotplug(slots: number): aml.Aml {
  const ids = Array.from({ length: slots }, (_unused, slot) => slot);
  return aml.device(
    'MHPC',
    aml.declare('_HID', aml.eisaId('PNP0A06')),
    aml.declare('_UID', aml.string('DIMM devices')),
    aml.declare('MDNR', aml.integer(slots)),
    aml.operationRegion('MHPR', aml.SystemIO, MEMHP_PORT, MEMHP_LENGTH),
    aml.field('MHPR', aml.DWordAcc, aml.Preserve, [
      ['MRBL', 32],
      ['MRBH', 32],
      ['MRLL', 32],
      ['MRLH', 32],
      ['MPX', 32],
    ]),
    aml.field('MHPR', aml.ByteAcc, aml.WriteAsZeros, [
      ['', 0x14 * 8],
      ['MES', 1],
      ['MINS', 1],
      ['MRMV', 1],
      ['MEJ', 1],
    ]),
    aml.field('MHPR', aml.DWordAcc, aml.Preserve, [
      ['MSEL', 32],
      ['MOEV', 32],
      ['MOSC', 32],
    ]),
    aml.mutex('MLCK'),
    scan(),
    ...slotMethods(),
    ...ids.map(slotDevice),
    aml.method(
      'MTFY',
      2,
      false,
      ...ids.map((slot) => aml.when(aml.equal(aml.arg(0), aml.integer(slot)), aml.notify(deviceName(slot), aml.arg(1)))),
    ),
  );
}

/** Scans the slots for events. */
function scan(): aml.Aml {
  const is = (bit: string) => aml.equal(aml.name(bit), aml.integer(1));
  const tell = (what: number) => aml.call('MTFY', aml.local(0), aml.integer(what));
  return aml.method(
    'MSCN',
    0,
    true,
    aml.acquire('MLCK'),
    aml.store(aml.integer(0), aml.local(0)),
    aml.loopWhile(
      aml.less(aml.local(0), aml.name('MDNR')),
      aml.store(aml.local(0), aml.name('MSEL')),
      aml.when(is('MINS'), tell(NOTIFY_DEVICE_CHECK), aml.store(aml.integer(1), aml.name('MINS'))),
      aml.otherwise(aml.when(is('MRMV'), tell(NOTIFY_EJECT), aml.store(aml.integer(1), aml.name('MRMV')))),
      aml.increment(aml.local(0)),
    ),
    aml.release('MLCK'),
  );
}

/** The parts of all slots' devices; Arg0 is the slot. */
function slotMethods(): aml.Aml[] {
  const locked = (...terms: aml.Aml[]) => [aml.acquire('MLCK'), aml.store(aml.arg(0), aml.name('MSEL')), ...terms, aml.release('MLCK')];
  const status = aml.method(
    'MRST',
    1,
    true,
    aml.store(aml.integer(0), aml.local(0)),
    ...locked(aml.when(aml.equal(aml.name('MES'), aml.integer(1)), aml.store(aml.integer(PRESENT), aml.local(0)))),
    aml.giveBack(aml.local(0)),
  );
  const wide = (high: string, low: string, to: string) => [
    aml.shiftLeft(aml.name(high), aml.integer(32), aml.local(0)),
    aml.or(aml.local(0), aml.name(low), aml.name(to)),
  ];
  const resources = aml.method(
    'MCRS',
    1,
    true,
    aml.declare('MR64', aml.template(aml.qwordMemory())),
    aml.qwordField(aml.name('MR64'), aml.QWORD_MIN, 'MMIN'),
    aml.qwordField(aml.name('MR64'), aml.QWORD_MAX, 'MMAX'),
    aml.qwordField(aml.name('MR64'), aml.QWORD_LENGTH, 'MLEN'),
    ...locked(...wide('MRBH', 'MRBL', 'MMIN'), ...wide('MRLH', 'MRLL', 'MLEN')),
    aml.add(aml.name('MMIN'), aml.name('MLEN'), aml.local(0)),
    aml.subtract(aml.local(0), aml.integer(1), aml.name('MMAX')),
    aml.giveBack(aml.name('MR64')),
  );
  const proximity = aml.method('MPXM', 1, true, ...locked(aml.store(aml.name('MPX'), aml.local(0))), aml.giveBack(aml.local(0)));
  const report = aml.method('MOST', 3, true, ...locked(aml.store(aml.arg(1), aml.name('MOEV')), aml.store(aml.arg(2), aml.name('MOSC'))));
  const eject = aml.method('MEJ0', 1, true, ...locked(aml.store(aml.integer(1), aml.name('MEJ'))));
  return [status, resources, proximity, report, eject];
}

function slotDevice(slot: number): aml.Aml {
  const forSlot = (at: string, ...args: aml.Aml[]) => aml.call(at, aml.integer(slot), ...args);
  return aml.device(
    deviceName(slot),
    aml.declare('_HID', aml.eisaId('PNP0C80')),
    aml.declare('_UID', aml.string(`0x${hex2(slot)}`)),
    aml.method('_STA', 0, false, aml.giveBack(forSlot('MRST'))),
    aml.method('_CRS', 0, false, aml.giveBack(forSlot('MCRS'))),
    aml.method('_PXM', 0, false, aml.giveBack(forSlot('MPXM'))),
    aml.method('_OST', 3, false, forSlot('MOST', aml.arg(0), aml.arg(1))),
    aml.method('_EJ0', 1, false, forSlot('MEJ0')),
  );
}

function deviceName(slot: number): string {
  return `MP${hex2(slot)}`;
}

function hex2(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, '0');
}
