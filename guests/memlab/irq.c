/* Interrupts arrive through the I/O APIC; the 8259 pair is masked. */
#include "lab.h"

#define LAPIC_ID 0x20
#define LAPIC_TPR 0x80
#define LAPIC_EOI 0xb0
#define LAPIC_SPURIOUS 0xf0
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_MASKED 0x10000

void irq_init(void) {
  /* Give the 8259s separate vectors first, so that a spurious interrupt does not look like an exception. */
  out8(0x20, 0x11), out8(0xa0, 0x11);
  out8(0x21, FIRST_IRQ_VECTOR), out8(0xa1, FIRST_IRQ_VECTOR + 8);
  out8(0x21, 4), out8(0xa1, 2);
  out8(0x21, 1), out8(0xa1, 1);
  out8(0x21, 0xff), out8(0xa1, 0xff);
  write32(LAPIC_BASE + LAPIC_LVT_TIMER, LAPIC_MASKED);
  write32(LAPIC_BASE + LAPIC_LVT_LINT0, LAPIC_MASKED);
  write32(LAPIC_BASE + LAPIC_LVT_LINT1, LAPIC_MASKED);
  write32(LAPIC_BASE + LAPIC_TPR, 0);
  write32(LAPIC_BASE + LAPIC_SPURIOUS, 0x1ff);
}

/* Edge, high, fixed, to this processor. */
void irq_route(u32 pin) {
  u32 id = read32(LAPIC_BASE + LAPIC_ID) >> 24;
  write32(IOAPIC_BASE, 0x10 + 2 * pin + 1);
  write32(IOAPIC_BASE + 0x10, id << 24);
  write32(IOAPIC_BASE, 0x10 + 2 * pin);
  write32(IOAPIC_BASE + 0x10, FIRST_IRQ_VECTOR + pin);
}

void irq_done(void) { write32(LAPIC_BASE + LAPIC_EOI, 0); }
