#include "lab.h"

struct cpu_facts cpu;

void cpuid_of(u32 leaf, u32 subleaf, u32 out[4]) {
  __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(subleaf));
}

static void copy_words(char *to, const u32 *words, u32 n) {
  for (u32 i = 0; i < n * 4; i++) to[i] = (char)(words[i / 4] >> i % 4 * 8);
}

void cpu_init(void) {
  u32 r[4];
  cpuid_of(0, 0, r);
  u32 vendor[3] = {r[1], r[3], r[2]};
  copy_words(cpu.vendor, vendor, 3);
  cpuid_of(1, 0, r);
  cpu.family = (r[0] >> 8 & 15) + ((r[0] >> 8 & 15) == 15 ? r[0] >> 20 & 255 : 0);
  cpu.model = (r[0] >> 4 & 15) | (r[0] >> 12 & 0xf0);
  cpu.stepping = r[0] & 15;
  cpuid_of(0x80000001, 0, r);
  cpu.huge_pages = r[3] >> 26 & 1;
  cpuid_of(0x80000000, 0, r);
  u32 last = r[0];
  cpu.physical_bits = 36;
  if (last >= 0x80000008) {
    cpuid_of(0x80000008, 0, r);
    cpu.physical_bits = (r[0] & 255) < 46 ? r[0] & 255 : 46;
  }
  for (u32 i = 0; last >= 0x80000004 && i < 3; i++) {
    cpuid_of(0x80000002 + i, 0, r);
    copy_words(cpu.brand + i * 16, r, 4);
  }
}

/* The board's TSC counts nanoseconds of guest time. */
u64 nanoseconds(void) { return rdtsc() / (TSC_HZ / 1000000000ul); }

struct feature { u32 leaf; u8 reg, bit; char name[10]; };

static const struct feature features[] = {
  {1, 3, 0, "fpu"}, {1, 3, 3, "pse"}, {1, 3, 4, "tsc"}, {1, 3, 5, "msr"}, {1, 3, 6, "pae"}, {1, 3, 8, "cx8"}, {1, 3, 9, "apic"},
  {1, 3, 11, "sep"}, {1, 3, 12, "mtrr"}, {1, 3, 13, "pge"}, {1, 3, 15, "cmov"}, {1, 3, 16, "pat"}, {1, 3, 17, "pse36"}, {1, 3, 19, "clflush"},
  {1, 3, 23, "mmx"}, {1, 3, 24, "fxsr"}, {1, 3, 25, "sse"}, {1, 3, 26, "sse2"}, {1, 2, 0, "sse3"}, {1, 2, 9, "ssse3"}, {1, 2, 13, "cx16"},
  {1, 2, 19, "sse4_1"}, {1, 2, 20, "sse4_2"}, {1, 2, 21, "x2apic"}, {1, 2, 23, "popcnt"}, {1, 2, 30, "rdrand"}, {1, 2, 31, "hypervisor"},
  {0x80000001, 3, 11, "syscall"}, {0x80000001, 3, 20, "nx"}, {0x80000001, 3, 26, "pdpe1gb"}, {0x80000001, 3, 27, "rdtscp"},
  {0x80000001, 3, 29, "lm"}, {0x80000001, 2, 0, "lahf_lm"},
};

void command_cpuid(void) {
  say("%s family %u model %u stepping %u\n", cpu.vendor, cpu.family, cpu.model, cpu.stepping);
  if (cpu.brand[0]) say("%s\n", cpu.brand);
  say("%u physical address bits used, 1 GiB pages: %s\n", cpu.physical_bits, cpu.huge_pages ? "yes" : "no");
  u32 column = 0;
  for (u32 i = 0; i < sizeof features / sizeof features[0]; i++) {
    u32 r[4];
    cpuid_of(features[i].leaf, 0, r);
    if ((r[features[i].reg] >> features[i].bit & 1) == 0) continue;
    say("%s%s", column ? " " : "", features[i].name);
    column += (u32)length(features[i].name) + 1;
    if (column > 70) column = 0, put('\n');
  }
  if (column) put('\n');
}

#define READ_REGISTER(name, value) __asm__ volatile("mov %%" name ", %0" : "=r"(value))

void command_regs(void) {
  u64 cr0, cr2, cr3, cr4, rsp, rflags;
  u32 low, high;
  READ_REGISTER("cr0", cr0);
  READ_REGISTER("cr2", cr2);
  READ_REGISTER("cr3", cr3);
  READ_REGISTER("cr4", cr4);
  READ_REGISTER("rsp", rsp);
  __asm__ volatile("pushfq; pop %0" : "=r"(rflags));
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(0xc0000080u));
  say("cr0 %.16lx  cr2 %.16lx  cr3 %.16lx  cr4 %.16lx\n", cr0, cr2, cr3, cr4);
  say("rsp %.16lx  rflags %.8lx  efer %.8x  tsc %lu\n", rsp, rflags, low, rdtsc());
}
