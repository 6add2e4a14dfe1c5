/* The work of an operating system: page tables, faults, ports, interrupts and system calls. Interrupts stay disabled. */
#include "workloads.h"

#ifdef __x86_64__
#define PAGES_PER_TABLE 512u
#else
#define PAGES_PER_TABLE 1024u
#endif
/* 256 MiB in 4 KiB pages, user pages all. */
#define PAGES 65536u
#define PRESENT 1u
#define ACCESS 7u /* present, writable, user */

/* Selectors, as start.S lays the GDT out. */
enum { KERNEL_CODE = 8, USER_DATA = 32 + 3, TSS = 48 };

word page_table[PAGES] __attribute__((aligned(4096)));
word page_directory[1024] __attribute__((aligned(4096)));
/* start.S: the address of the directory's root, as CR3 takes it. */
extern word page_root[];
extern u8 gdt[], interrupt_stack_top[];
extern void load_tables(void *idt, u32 idt_size), run_user(void (*code)(void));
extern void on_interrupt(void), on_user_end(void), on_page_fault(void), on_syscall(void);
/* Counted by the handlers in start.S. */
volatile u32 interrupts, faults;

static struct {
  u16 low, selector, type, high;
#ifdef __x86_64__
  u32 top, reserved;
#endif
} idt[256];

static struct __attribute__((packed)) {
  u32 reserved;
  word sp0;
  u32 ss0;
  u8 rest[100];
} tss;

static void gate(u32 vector, void (*handler)(void)) {
  word at = (word)handler;
  idt[vector].low = (u16)at, idt[vector].high = (u16)(at >> 16);
  idt[vector].selector = KERNEL_CODE, idt[vector].type = 0xee00; /* interrupt gate, DPL 3 */
}

static void wrmsr(u32 msr, word value) { __asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)((u64)value >> 32))); }

static inline void flush(const volatile void *page) { __asm__ volatile("invlpg (%0)" : : "r"(page) : "memory"); }

static inline void reload_cr3(void) {
  word root;
  __asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(root) : : "memory");
}

void system_init(void) {
  for (u32 page = 0; page < PAGES; page++) page_table[page] = (word)page << 12 | ACCESS;
  for (u32 table = 0; table < PAGES / PAGES_PER_TABLE; table++) page_directory[table] = (word)&page_table[table * PAGES_PER_TABLE] | ACCESS;
#ifdef __x86_64__
  page_root[512] = (word)page_directory | ACCESS; /* the PDPT follows the PML4 */
  page_root[0] = (word)&page_root[512] | ACCESS;
  __asm__ volatile("mov %0, %%cr3" : : "r"(page_root) : "memory");
#else
  __asm__ volatile("mov %0, %%cr3" : : "r"(page_directory) : "memory");
#endif
  word control;
  __asm__ volatile("mov %%cr4, %0" : "=r"(control));
  __asm__ volatile("mov %0, %%cr4" : : "r"(control | 0x600)); /* OSFXSR, OSXMMEXCPT */
  __asm__ volatile("mov %%cr0, %0" : "=r"(control));
  __asm__ volatile("mov %0, %%cr0; fninit" : : "r"((control & ~(word)0xc) | 0x80000022) : "memory"); /* PG, NE, MP; no EM, no TS */
  gate(14, on_page_fault);
  gate(0x80, on_interrupt);
  gate(0x81, on_user_end);
  tss.sp0 = (word)interrupt_stack_top, tss.ss0 = 16;
  word base = (word)&tss;
  u64 *descriptor = (u64 *)(gdt + TSS);
  descriptor[0] = 103 | (u64)(base & 0xffffff) << 16 | 0x89ull << 40 | (u64)(base >> 24 & 0xff) << 56;
  load_tables(idt, sizeof idt);
#ifdef __x86_64__
  wrmsr(0xc0000080, 0x501);                              /* EFER: LME, LMA, SCE */
  wrmsr(0xc0000081, 24ull << 48 | (u64)KERNEL_CODE << 32); /* STAR */
  wrmsr(0xc0000082, (word)on_syscall);                   /* LSTAR */
  wrmsr(0xc0000084, 0);                                  /* FMASK */
#else
  wrmsr(0x174, KERNEL_CODE);
  wrmsr(0x175, (word)interrupt_stack_top);
  wrmsr(0x176, (word)on_syscall);
#endif
}

/* 1024 pages of a window, each remapped, flushed and read. */
u32 invlpg(void) {
  enum { WINDOW = 0x8000, TARGET = 0x4000 };
  u32 sum = 0;
  for (u32 page = 0; page < 1024; page++) *(volatile u32 *)((word)(TARGET + page) << 12) = random32();
  for (u32 round = 0; round < 400; round++) {
    for (u32 i = 0; i < 1024; i++) {
      volatile u32 *at = (volatile u32 *)((word)(WINDOW + i) << 12);
      page_table[WINDOW + i] = (word)(TARGET + (i * 7 + round) % 1024) << 12 | ACCESS;
      flush(at);
      sum = sum * 5 + *at;
    }
  }
  for (u32 i = 0; i < 1024; i++) page_table[WINDOW + i] = (word)(WINDOW + i) << 12 | ACCESS;
  reload_cr3();
  return sum;
}

/* CR3 loaded, 64 pages touched. */
u32 cr3_flush(void) {
  u32 sum = 0;
  for (u32 page = 0; page < 64; page++) *(volatile u32 *)(ARENA + page * 4096) = random32();
  for (u32 round = 0; round < 20000; round++) {
    reload_cr3();
    for (u32 page = 0; page < 64; page++) sum += *(volatile u32 *)(ARENA + page * 4096) ^ round;
  }
  return sum;
}

/* Pages unmapped and touched: the handler maps them again. */
u32 page_fault(void) {
  u32 sum = 0, before = faults;
  for (u32 i = 0; i < 300000; i++) {
    u32 page = ((u32)(word)ARENA >> 12) + i % 256;
    volatile u32 *at = (volatile u32 *)((word)page << 12);
    page_table[page] &= ~(word)PRESENT;
    flush(at);
    *at = i;
    sum += *at;
  }
  return sum ^ (faults - before);
}

/* The scratch register of the serial port, written and read. */
u32 port_io(void) {
  u32 sum = 0;
  for (u32 i = 0; i < 300000; i++) {
    out8(0x3ff, (u8)(i * 7));
    sum = sum * 3 + in8(0x3ff);
  }
  return sum;
}

enum { CALLS = 500000 };

static void many_interrupts(void) {
  for (u32 i = 0; i < CALLS; i++) __asm__ volatile("int $0x80" : : : "memory");
}

static void user_interrupts(void) {
  many_interrupts();
  __asm__ volatile("int $0x81");
}

static void user_syscalls(void) {
  for (u32 i = 0; i < CALLS * 2; i++) {
#ifdef __x86_64__
    __asm__ volatile("syscall" : : : "rcx", "r11", "memory");
#else
    __asm__ volatile("mov %%esp, %%ecx; mov $1f, %%edx; sysenter; 1:" : : : "ecx", "edx", "memory");
#endif
  }
  __asm__ volatile("int $0x81");
}

u32 interrupt0(void) {
  u32 before = interrupts;
  many_interrupts();
  return interrupts - before;
}

u32 interrupt3(void) {
  u32 before = interrupts;
  run_user(user_interrupts);
  return interrupts - before;
}

u32 syscall_(void) {
  u32 before = interrupts;
  run_user(user_syscalls);
  return interrupts - before;
}
