/* Exceptions and interrupts. An exception in a command is reported with its registers, then the prompt returns. */
#include "lab.h"

struct gate { u16 low; u16 selector; u8 ist; u8 type; u16 middle; u32 high; u32 zero; };

extern u8 trap_entries[], trap_spurious[];
static struct gate idt[256] __attribute__((aligned(16)));
static u32 depth;

static const char names[][28] = {
  "divide error", "debug", "NMI", "breakpoint", "overflow", "bound range exceeded", "invalid opcode", "device not available",
  "double fault", "coprocessor segment", "invalid TSS", "segment not present", "stack fault", "general protection", "page fault",
  "reserved", "x87 error", "alignment check", "machine check", "SIMD error", "virtualization", "control protection",
};

static void set_gate(u32 vector, u64 entry, u8 ist) {
  idt[vector] = (struct gate){(u16)entry, 8, ist, 0x8e, (u16)(entry >> 16), (u32)(entry >> 32), 0};
}

void trap_init(void) {
  for (u32 i = 0; i < 48; i++) set_gate(i, (u64)trap_entries + i * 16, i == 8 ? 1 : 0);
  set_gate(255, (u64)trap_spurious, 0);
  struct { u16 limit; u64 base; } __attribute__((packed)) pointer = {sizeof idt - 1, (u64)idt};
  __asm__ volatile("lidt %0" : : "m"(pointer));
}

static u64 fault_address(void) {
  u64 value;
  __asm__ volatile("mov %%cr2, %0" : "=r"(value));
  return value;
}

static void tell(const struct trap_frame *f) {
  const char *name = f->vector < sizeof names / sizeof names[0] ? names[f->vector] : "exception";
  say("\n%s (vector %lu, error code 0x%lx) at rip 0x%lx", name, f->vector, f->error, f->rip);
  if (f->vector == 14) say(", address 0x%lx", fault_address());
  say("\n  rax %.16lx rbx %.16lx rcx %.16lx rdx %.16lx\n", f->rax, f->rbx, f->rcx, f->rdx);
  say("  rsi %.16lx rdi %.16lx rbp %.16lx rsp %.16lx\n", f->rsi, f->rdi, f->rbp, f->rsp);
  say("  r8  %.16lx r9  %.16lx r10 %.16lx r11 %.16lx\n", f->r8, f->r9, f->r10, f->r11);
  say("  r12 %.16lx r13 %.16lx r14 %.16lx r15 %.16lx\n", f->r12, f->r13, f->r14, f->r15);
  say("  rflags %.8lx cr2 %.16lx cr3 %.16lx\n", f->rflags, fault_address(), paging_root());
}

static void interrupt(u64 vector) {
  switch (vector - FIRST_IRQ_VECTOR) {
    case SERIAL_IRQ: console_interrupt(); break;
    case GED_IRQ: hotplug_interrupt(); break;
    default: return; /* spurious, from an 8259: needs no end-of-interrupt */
  }
  irq_done();
}

void trap(struct trap_frame *f) {
  if (f->vector >= FIRST_IRQ_VECTOR) {
    interrupt(f->vector);
    return;
  }
  if (f->vector == 14 && (f->error & 1) == 0 && paging_map(fault_address())) return;
  if (depth++) for (;;) __asm__ volatile("cli; hlt");
  tell(f);
  depth--;
  hotplug_release();
  f->rip = (u64)shell_restart;
  f->cs = 8;
  f->ss = 16;
  f->rflags = 0x202;
}

void command_fault(void) { __asm__ volatile("ud2"); }

/* With an empty table, neither the exception nor the following double fault can be delivered. */
void command_crash(void) {
  struct { u16 limit; u64 base; } __attribute__((packed)) nothing = {0, 0};
  say("crashing\n");
  __asm__ volatile("lidt %0; ud2" : : "m"(nothing));
}
