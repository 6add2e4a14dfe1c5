/*
 * Memory hotplug by interrupt. The event device reports that something happened; the registers (QEMU's ACPI memory hotplug block:
 * docs/specs/acpi_mem_hotplug in QEMU) say what. The interrupt only records the event: the registers have a selector, and messages must not cut into
 * a line, so the event is handled between two pieces of a command or at the prompt.
 */
#include "lab.h"

#define SLOTS 256u
#define FLAG_ENABLED 1u
#define FLAG_INSERT 2u
#define FLAG_REMOVE 4u
#define FLAG_EJECT 8u
#define OST_DEVICE_CHECK 1u
#define OST_EJECT_REQUEST 3u
#define OST_SUCCESS 0u
#define OST_BUSY 0x82u
#define OST_IN_PROGRESS 0x84u

struct slot { u64 base, size; bool present, held, refused; };

static struct slot slots[SLOTS];
static volatile u32 events;
static bool has_registers, has_gpe;
static u64 used_base, used_end;

static void select_slot(u32 slot) { out32(MEMHP_PORT, slot); }
static u8 read_flags(void) { return in8(MEMHP_PORT + 0x14); }
static void write_flags(u8 flags) { out8(MEMHP_PORT + 0x14, flags); }

static void answer(u32 event, u32 status) {
  out32(MEMHP_PORT + 4, event);
  out32(MEMHP_PORT + 8, status);
}

void hotplug_interrupt(void) {
  u32 seen = has_gpe ? 0 : read32(GED_BASE);
  if (has_gpe && in8(GPE_STATUS_PORT) & GPE_MEMORY) {
    out8(GPE_STATUS_PORT, GPE_MEMORY);
    seen = GED_EVENT_MEMORY;
  }
  events |= seen;
}

bool hotplug_pending(void) { return events != 0; }

void hotplug_use(u64 base, u64 size) { used_base = base, used_end = base + size; }

void hotplug_release(void) { used_base = used_end = 0; }

static bool in_use(const struct slot *s) { return used_base < s->base + s->size && used_end > s->base; }

static void plugged(u32 n, struct slot *s, u64 base, u64 size) {
  *s = (struct slot){base, size, true, false, false};
  say("memory hotplug: DIMM slot %u at 0x%.8lx, %s\n", n, base, size_text(size));
}

static void changed(u32 n, struct slot *s, u64 base, u64 size) {
  if (s->base != base) say("memory moved: DIMM slot %u from 0x%.8lx to 0x%.8lx\n", n, s->base, base);
  if (s->size != size) say("memory resized: DIMM slot %u at 0x%.8lx from %s to %s\n", n, base, size_text(s->size), size_text(size));
  s->base = base, s->size = size;
}

static void asked_to_remove(u32 n, struct slot *s) {
  write_flags(FLAG_REMOVE);
  if (s->held || in_use(s)) {
    s->refused = true;
    answer(OST_EJECT_REQUEST, OST_BUSY);
    say("memory hotplug: DIMM slot %u at 0x%.8lx stays: %s\n", n, s->base, s->held ? "held (release gives it back)" : "in use by the running command");
    return;
  }
  answer(OST_EJECT_REQUEST, OST_IN_PROGRESS);
  write_flags(FLAG_EJECT);
  if (read_flags() & FLAG_ENABLED) {
    answer(OST_EJECT_REQUEST, OST_BUSY);
    say("memory hotplug: DIMM slot %u at 0x%.8lx stays: the board did not take it\n", n, s->base);
    return;
  }
  answer(OST_EJECT_REQUEST, OST_SUCCESS);
  say("memory hotplug: DIMM slot %u at 0x%.8lx given back, %s\n", n, s->base, size_text(s->size));
  *s = (struct slot){0};
}

static void scan_slot(u32 n) {
  struct slot *s = &slots[n];
  select_slot(n);
  u8 flags = read_flags();
  if ((flags & FLAG_ENABLED) == 0) {
    if (s->present) say("memory hotplug: DIMM slot %u at 0x%.8lx is gone\n", n, s->base);
    *s = (struct slot){0};
    return;
  }
  u64 base = in32(MEMHP_PORT) | (u64)in32(MEMHP_PORT + 4) << 32;
  u64 size = in32(MEMHP_PORT + 8) | (u64)in32(MEMHP_PORT + 12) << 32;
  if (!s->present) plugged(n, s, base, size);
  else changed(n, s, base, size);
  if (flags & FLAG_INSERT) {
    write_flags(FLAG_INSERT);
    answer(OST_DEVICE_CHECK, OST_SUCCESS);
  }
  if (flags & FLAG_REMOVE) asked_to_remove(n, s);
}

static void scan(void) {
  for (u32 n = 0; has_registers && n < SLOTS; n++) scan_slot(n);
}

void hotplug_service(void) {
  while (events) {
    u32 now = __atomic_exchange_n(&events, 0, __ATOMIC_SEQ_CST);
    if (now & GED_EVENT_MEMORY) scan();
    if (now & GED_EVENT_POWER_BUTTON) {
      say("power button: switching off\n");
      power_off();
    }
  }
}

void hotplug_init(void) {
  select_slot(0);
  has_registers = read_flags() != 0xff;
  has_gpe = in8(GPE_ENABLE_PORT) != 0xff;
  irq_route(GED_IRQ);
  if (has_gpe) out8(GPE_ENABLE_PORT, GPE_MEMORY);
  if (has_registers) say("memory hotplug: irq %u\n", GED_IRQ);
  else say("memory hotplug: this board has no registers for it\n");
  /* An event before the route was set raised no edge, so check once. */
  hotplug_interrupt();
  events |= GED_EVENT_MEMORY;
}

static const char *state_of(const struct slot *s, u8 flags) {
  if (flags & FLAG_REMOVE) return "plugged, asked to leave";
  if (s->held) return "plugged, held";
  return s->refused ? "plugged, refused to leave" : "plugged";
}

void hotplug_table(void) {
  u32 shown = 0;
  for (u32 n = 0; has_registers && n < SLOTS; n++) {
    select_slot(n);
    u8 flags = read_flags();
    if ((flags & FLAG_ENABLED) == 0) continue;
    u64 base = in32(MEMHP_PORT) | (u64)in32(MEMHP_PORT + 4) << 32;
    u64 size = in32(MEMHP_PORT + 8) | (u64)in32(MEMHP_PORT + 12) << 32;
    if (shown++ == 0) say("  DIMM slot  base            size        state\n");
    say("  %-9u  0x%-12.8lx  %-10s  %s\n", n, base, size_text(size), state_of(&slots[n], flags));
  }
  if (!has_registers) say("  the board has no memory hotplug registers\n");
  else if (shown == 0) say("  no memory is plugged in\n");
}

void command_hold(u64 n, bool hold) {
  if (n >= SLOTS || !slots[n].present) {
    say("%s: DIMM slot %lu holds no memory (mem lists the DIMM slots)\n", hold ? "hold" : "release", n);
    return;
  }
  slots[n].held = hold;
  if (!hold) slots[n].refused = false;
  say("DIMM slot %lu at 0x%.8lx is %s\n", n, slots[n].base, hold ? "held: requests to remove it are refused" : "free to be removed");
}

void power_off(void) {
  if (has_gpe) out16(0x604, 0x2000); /* QEMU's pc machine: PM1 control, soft off */
  else write8(GED_BASE + GED_SLEEP_CONTROL, 5 << 2 | 0x20);
  for (;;) __asm__ volatile("cli; hlt");
}
