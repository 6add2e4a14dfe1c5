/* Loops until a key is pressed. watch: reads one word and reports each change and each hole; sweep: reads a word of each page of a range. */
#include "lab.h"

#define READS_PER_LOOK 8192u
#define LONG_HOLE (1ul << 22)
#define PAGE 4096ul

static u64 reads, changes, holes, hole_reads;

/* Reads until the word differs from `expected`, or `budget` reads were made; counts them. */
static u64 read_while(volatile const u64 *word, u64 expected, u32 budget) {
  u64 value;
  u32 left = budget;
  do value = *word;
  while (value == expected && --left);
  reads += budget - left + (value != expected);
  return value;
}

static void tell_hole(u64 count, const char *still) {
  say("  hole     %lu reads answered by the bus%s  at %lu\n", count, still, rdtsc());
}

static void end_hole(u64 count, const char *still) {
  tell_hole(count, still);
  hole_reads += count;
}

static bool watching(void) {
  hotplug_service();
  return !console_pending();
}

static void follow(volatile const u64 *word, u64 value) {
  u64 known = value, hole_start = 0;
  bool known_any = value != ALL_ONES, told = false;
  while (watching()) {
    u64 now = read_while(word, value, READS_PER_LOOK);
    if (value == ALL_ONES && !told && reads - hole_start > LONG_HOLE) {
      tell_hole(reads - hole_start, " and it is still open");
      told = true;
    }
    if (now == value) continue;
    if (now == ALL_ONES) {
      hole_start = reads - 1;
      holes++;
      told = false;
    } else {
      if (value == ALL_ONES) end_hole(reads - 1 - hole_start, "");
      if (known_any && now != known) {
        changes++;
        say("  changed  0x%.16lx -> 0x%.16lx  at %lu\n", known, now, rdtsc());
      } else if (!known_any) say("  appeared 0x%.16lx  at %lu\n", now, rdtsc());
      known = now, known_any = true;
    }
    value = now;
  }
  if (value == ALL_ONES) end_hole(reads - hole_start, " and it is still open");
}

void command_watch(u64 address) {
  hotplug_use(address, 8);
  volatile const u64 *word = (volatile const u64 *)address;
  u64 value = *word;
  reads = 1, changes = 0, holes = value == ALL_ONES, hole_reads = 0;
  if (value == ALL_ONES) say("0x%.8lx: hole (any key ends)\n", address);
  else say("0x%.8lx: 0x%.16lx (any key ends)\n", address, value);
  follow(word, value);
  if (console_pending()) (void)console_key();
  say("  %lu reads, %lu change%s, %lu hole%s", reads, changes, changes == 1 ? "" : "s", holes, holes == 1 ? "" : "s");
  /* The machine counts each of these reads as a hole. */
  if (holes) say(" of %lu read%s", hole_reads, hole_reads == 1 ? "" : "s");
  put('\n');
}

/* Uses one translation per page of the range, which shows the cost of zapping all of them. */
void command_sweep(u64 address, u64 size) {
  u64 pages = (size + PAGE - 1) / PAGE, rounds = 0;
  hotplug_use(address, size);
  say("0x%.8lx, %s: a word of each page, round and round (any key ends)\n", address, size_text(size));
  while (watching()) {
    for (u64 page = 0; page < pages; page++) (void)*(volatile const u64 *)(address + page * PAGE);
    rounds++;
  }
  (void)console_key();
  say("  %lu rounds over %lu page%s\n", rounds, pages, pages == 1 ? "" : "s");
}
