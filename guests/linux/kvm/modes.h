/* kvm-modes: a random program in two forms, for a nested guest and for this process, and the layout that both share. */
#ifndef MODES_H
#define MODES_H
#include "vm.h"

/* Modes of the nested guest. */
enum mode { REAL, PROTECTED, PAGED, PAE, LONG, COMPATIBILITY, MODES };

/* A lane is a vCPU with its part of memory, at one address in this process and in the nested guest. Offsets in it: */
#define LANE_SIZE 0x40000u
#define LANES_AT 0x40000u
#define PLAIN_CODE 0x8000u
#define DATA 0x10000u
#define DATA_SIZE 0x400u
#define DEVICE_SIZE 0x200u
#define STACK_AT 0x14000u
#define STACK_TOP 0xf00u
#define LOG 0x16000u
/* RSP and segments of this process while a program runs plainly. */
#define SAVE 0x1e000u
/* Counters, then handlers: a segment in real mode. */
#define COUNTERS 0x1f000u
#define HANDLERS 0x100u
#define TABLES 0x20000u
#define GDT 0x28000u
#define IDT 0x29000u
/* Pages without a memslot: each access of the nested guest is KVM_EXIT_MMIO. One for each lane. */
#define MMIO_AT 0xc0000u

/* Words at COUNTERS. */
enum { IRQS, NMIS, INTS, PLAIN_INTS = 16 };

#define IRQ_VECTOR 0x30
#define TIMER_VECTOR 0x38
#define INT_VECTOR 0x40

#define SITES 32
#define END_SITE (SITES - 1)
#define SITE_PORT 0x80
#define END_PORT 0xe0
/* An exception that no program causes. */
#define LOST_PORT 0xee

/* What the plain version of a program logs at a site; 256 bytes each. */
struct seen { uint64_t registers[16], flags, reached, unused[14]; };
struct site { uint8_t in, size; uint32_t value; };

/* A CPUID leaf that only the nested guest's KVM has. */
#define OWN_LEAF 0x1234u
#define OWN_EAX 0x11223344u
#define OWN_EBX 0x99887766u
#define OWN_ECX 0x55aa55aau
#define OWN_EDX 0xfedcba98u

struct lane {
	uint32_t index, base, mmio;
	uint64_t random;
	enum mode mode;
	/* The timer runs, so HLT ends. */
	int ticks;
	uint64_t registers[16];
	struct site sites[SITES];
	uint32_t site_count;
	uint8_t data[DATA_SIZE], device[DEVICE_SIZE];
};

uint32_t draw(struct lane *lane, uint32_t limit);
void make_program(struct lane *lane);
void run_plainly(struct lane *lane);
/* Segments with the bases of real mode's; 0, or -errno. */
long make_segments(struct lane *lane);
static inline struct seen *seen_at(struct lane *lane, uint32_t site)
{
	return (struct seen *)(uintptr_t)(lane->base + LOG) + site;
}
#endif
