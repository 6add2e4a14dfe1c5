#include "lab.h"

void lab_main(u32 magic, u64 information) __attribute__((noreturn));

void lab_main(u32 magic, u64 information) {
  multiboot_read(magic, information);
  cpu_init();
  trap_init();
  irq_init();
  console_init();
  say("\nmemlab, x86-64, %s in %u ranges\n", size_text(boot_ram()), boot_ram_ranges());
  say("page tables at 0x%lx, identity to 4 GiB, beyond on demand to %u bits\n", paging_root(), cpu.physical_bits);
  hotplug_init();
  say("help lists the commands\n");
  shell();
}

void command_uptime(void) {
  u64 now = nanoseconds();
  say("up %lu.%.3lu s of guest time\n", now / 1000000000, now / 1000000 % 1000);
}

void command_reset(void) {
  say("resetting\n");
  write8(GED_BASE + GED_RESET, GED_RESET_VALUE);
  out8(0xcf9, 6); /* QEMU's pc machine */
  for (;;) __asm__ volatile("cli; hlt");
}

void command_halt(void) {
  say("halted\n");
  for (;;) __asm__ volatile("cli; hlt");
}
