/** The trace's events: one name each, as in QEMU's `trace-event`, and the kind that the page filters by. */

export const EVENT_KINDS = ['exits', 'commits', 'faults', 'interrupts', 'devices', 'dirty'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

interface EventType {
  name: string;
  kind: EventKind;
  /** Set if the event is an exit of a vCPU: its name in `info kvm-stat`, which is KVM's where it has one. */
  exit?: string;
  help: string;
}

/** An event's number in the ring is its index here. Names are QEMU's where it has the event. */
export const EVENTS = [
  { name: 'vcpu_hlt', kind: 'exits', exit: 'HLT', help: 'a vCPU halts; lasts while it sleeps' },
  { name: 'vcpu_hole', kind: 'exits', exit: 'HOLE', help: 'an access that no memslot and no device answers' },
  { name: 'vcpu_retry', kind: 'exits', exit: 'RETRY', help: 'an access to an INVALID memslot; lasts while it waits' },
  {
    name: 'vcpu_dirty_ring_full',
    kind: 'exits',
    exit: 'DIRTY_RING_FULL',
    help: 'a dirty ring is full; lasts while its vCPU waits for a reset',
  },
  { name: 'vcpu_shutdown', kind: 'exits', exit: 'SHUTDOWN', help: 'triple fault' },
  { name: 'vcpu_internal_error', kind: 'exits', exit: 'INTERNAL_ERROR', help: 'code is fetched where there is no memslot' },
  { name: 'breakpoint', kind: 'exits', exit: 'DEBUG', help: 'a watched access, whether it stops the machine or not' },
  { name: 'tlb_fill', kind: 'faults', exit: 'EPT_VIOLATION', help: 'the TLB looks up a page in the memslots' },
  { name: 'exception', kind: 'faults', exit: 'EXCEPTION', help: 'an exception is delivered to the guest' },
  { name: 'interrupt', kind: 'interrupts', exit: 'EXTERNAL_INTERRUPT', help: 'an interrupt is delivered to the guest' },
  { name: 'cpu_in', kind: 'devices', exit: 'IO_INSTRUCTION', help: 'a port is read' },
  { name: 'cpu_out', kind: 'devices', exit: 'IO_INSTRUCTION', help: 'a port is written' },
  { name: 'memory_region_ops_read', kind: 'devices', exit: 'MMIO', help: 'a device register in memory is read' },
  { name: 'memory_region_ops_write', kind: 'devices', exit: 'MMIO', help: 'a device register in memory is written' },
  { name: 'dirty_page', kind: 'dirty', exit: 'DIRTY_LOG', help: 'the first write to a page since its log was harvested' },
  { name: 'dirty_protect', kind: 'dirty', help: 'pages lose their write tags: logging was enabled, or a log was harvested' },
  { name: 'dirty_log_harvest', kind: 'dirty', help: 'dirty pages are harvested from bitmaps, and logged again' },
  { name: 'dirty_ring_harvest', kind: 'dirty', help: 'entries are harvested from the dirty rings' },
  { name: 'dirty_ring_reset', kind: 'dirty', help: 'harvested entries are free, and their pages are logged again' },
  { name: 'memslot_validate', kind: 'commits', help: 'a commit is checked against the final layout, and accepted' },
  { name: 'memslot_prepare', kind: 'commits', help: 'a commit does everything that can fail' },
  { name: 'memslot_refused', kind: 'commits', help: 'a commit ends without a change: the phase, and the first reason' },
  { name: 'memslot_publish', kind: 'commits', help: 'a commit publishes a set of memslots' },
  { name: 'memslot_zap', kind: 'commits', help: 'a commit drops translations' },
  { name: 'memslot_commit', kind: 'commits', help: 'a commit is complete' },
] as const satisfies readonly EventType[];

export type EventName = (typeof EVENTS)[number]['name'];

export const eventNumber = (name: EventName): number => EVENTS.findIndex((each) => each.name === name);
export const eventOf = (number: number): EventType & { name: EventName } => EVENTS[number]!;

/** Matches as QEMU does: `*` stands for any characters. */
export function matches(pattern: string, name: string): boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`).test(name);
}
