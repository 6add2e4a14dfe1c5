/* Shared by memlab's files. One address space, one thread of commands, interrupts that only set flags. */
#ifndef LAB_H
#define LAB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* The board (engine/machine/board.ts). */
#define SERIAL_PORT 0x3f8
#define SERIAL_IRQ 4
#define MEMHP_PORT 0xa00
#define IOAPIC_BASE 0xfec00000ul
#define LAPIC_BASE 0xfee00000ul
#define GED_BASE 0xfea00000ul
#define GED_IRQ 9
#define GED_EVENT_MEMORY 1u
#define GED_EVENT_POWER_BUTTON 2u
#define GED_SLEEP_CONTROL 0x200
#define GED_RESET 0x202
#define GED_RESET_VALUE 0x42
/* QEMU's pc machine has no event device; there the same event is bit 3 of general purpose event block 0. */
#define GPE_STATUS_PORT 0xafe0
#define GPE_ENABLE_PORT 0xafe2
#define GPE_MEMORY 8u
#define TSC_HZ 1000000000ul

#define FIRST_IRQ_VECTOR 0x20
#define ALL_ONES (~0ul)
#define KIB 1024ul
#define MIB (1024ul * KIB)
#define GIB (1024ul * MIB)

extern u8 image_start[], image_end[];

static inline void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
static inline void out16(u16 port, u16 value) { __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
static inline void out32(u16 port, u32 value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
static inline u8 in8(u16 port) { u8 value; __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory"); return value; }
static inline u32 in32(u16 port) { u32 value; __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory"); return value; }
static inline u64 rdtsc(void) { u32 low, high; __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)); return (u64)high << 32 | low; }
static inline void write32(u64 address, u32 value) { *(volatile u32 *)address = value; }
static inline u32 read32(u64 address) { return *(volatile u32 *)address; }
static inline void write8(u64 address, u8 value) { *(volatile u8 *)address = value; }
static inline u64 read64(u64 address) { return *(volatile u64 *)address; }
static inline void write64(u64 address, u64 value) { *(volatile u64 *)address = value; }

/* console.c */
void console_init(void);
void console_interrupt(void);
int console_key(void);      /* the next key, or -1 */
bool console_pending(void); /* is there a key? */
bool console_ctrl_c(void);  /* was Ctrl-C typed? consumes it and the input before it */
void put(char c);
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
const char *size_text(u64 bytes); /* "64 MiB"; one of four static buffers */

/* text.c */
size_t length(const char *text);
bool same(const char *a, const char *b);
void *memset(void *to, int value, size_t n);
void *memcpy(void *to, const void *from, size_t n);
/* 0x.., decimal, K/M/G/T suffix; false if the text is not a number below 2^64. */
bool parse_number(const char *text, u64 *value);

/* cpu.c */
struct cpu_facts {
  char vendor[13];
  char brand[49];
  u32 family, model, stepping;
  u32 physical_bits; /* addresses that memlab reaches: at most 46 */
  bool huge_pages;   /* 1 GiB */
};
extern struct cpu_facts cpu;
void cpu_init(void);
void cpuid_of(u32 leaf, u32 subleaf, u32 out[4]);
u64 nanoseconds(void);
void command_cpuid(void);
void command_regs(void);

/* paging.c */
void paging_init(void);
bool paging_map(u64 address); /* identity-maps the surroundings of a physical address */
u64 paging_root(void);

/* trap.c */
struct trap_frame {
  u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
  u64 vector, error, rip, cs, rflags, rsp, ss;
};
void trap_init(void);

/* irq.c */
void irq_init(void);
void irq_route(u32 pin);
void irq_done(void);

/* multiboot.c */
struct boot_range { u64 base, size; u32 type; };
extern struct boot_range boot_ranges[];
extern u32 boot_range_count;
void multiboot_read(u32 magic, u64 information);
u64 boot_ram(void);
u32 boot_ram_ranges(void);

/* hotplug.c */
void hotplug_init(void);
void hotplug_interrupt(void);
bool hotplug_pending(void);
/* Handles the board's requests and reports them on separate lines. The cursor must be at the start of a line. */
void hotplug_service(void);
void hotplug_table(void);
void command_hold(u64 slot, bool hold);
/* The range that the running command uses; requests to remove its memory are refused. */
void hotplug_use(u64 base, u64 size);
void hotplug_release(void);
void power_off(void) __attribute__((noreturn));

/* shell.c */
void shell(void) __attribute__((noreturn));
void shell_restart(void) __attribute__((noreturn));
/* Long commands call this between pieces of work: it handles hotplug, and returns whether to stop (Ctrl-C). */
bool interrupted(void);

/* The commands; arguments are checked by shell.c. */
void command_peek(u64 address, u64 words);
void command_poke(u64 address, u64 value);
void command_fill(u64 address, u64 size, u64 value);
void command_sum(u64 address, u64 size);
void command_test(u64 address, u64 size);
void command_watch(u64 address);
void command_sweep(u64 address, u64 size);
void command_bench(void);
void command_uptime(void);
void command_reset(void);
void command_halt(void);
void command_fault(void);
void command_crash(void);

#endif
