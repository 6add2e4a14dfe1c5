/*
 * test: overwrites a range and reads it back. Own address, walking ones, then moving inversions (van de Goor, "Testing
 * Semiconductor Memories"): write a pattern, then upwards read it and write its complement, then downwards the same back.
 */
#include "lab.h"

#define PIECE (256 * KIB)
#define PROGRESS_EVERY 100000000ul /* ns of guest time */
#define MOST_RANGES 32u
#define JOIN 4096u /* bad words closer than this are reported as one range */

struct bad_range { u64 start, end, words, wrote, read; };

static struct bad_range bad[MOST_RANGES];
static u32 bad_count;
static u64 bad_words, first_word, word_count, work_done, work_total;
static const char *phase;

static u64 next_progress;

static void tell_progress(void) {
  if (nanoseconds() < next_progress) return;
  next_progress = nanoseconds() + PROGRESS_EVERY;
  say("\r  %-28s %u %%", phase, (u32)(work_done * 100 / work_total));
}

/* Called after each piece; false if the user wants to stop. */
static bool step(u64 words) {
  work_done += words;
  tell_progress();
  return !interrupted();
}

static void note(u64 address, u64 wrote, u64 read) {
  bad_words++;
  for (u32 i = 0; i < bad_count; i++) {
    struct bad_range *r = &bad[i];
    if (address + 8 + JOIN < r->start || address > r->end + JOIN) continue;
    if (address < r->start) r->start = address;
    if (address + 8 > r->end) r->end = address + 8;
    r->words++;
    return;
  }
  if (bad_count < MOST_RANGES) bad[bad_count++] = (struct bad_range){address, address + 8, 1, wrote, read};
}

static inline void check(volatile u64 *word, u64 expected) {
  u64 value = *word;
  if (__builtin_expect(value != expected, 0)) note((u64)word, expected, value);
}

static u64 pattern_at(u32 kind, u64 index, u64 seed) {
  switch (kind) {
    case 0: return first_word + index * 8;
    case 1: return 1ul << ((index + seed) & 63);
    default: return seed;
  }
}

static bool up(u32 kind, u64 seed, bool checks, u64 old_xor, u64 new_xor, bool writes) {
  volatile u64 *word = (volatile u64 *)first_word;
  for (u64 at = 0, end; at < word_count; at = end) {
    end = at + PIECE / 8 < word_count ? at + PIECE / 8 : word_count;
    for (u64 i = at; i < end; i++) {
      u64 value = pattern_at(kind, i, seed);
      if (checks) check(&word[i], value ^ old_xor);
      if (writes) word[i] = value ^ new_xor;
    }
    if (!step(end - at)) return false;
  }
  return true;
}

static bool down(u64 seed) {
  volatile u64 *word = (volatile u64 *)first_word;
  for (u64 end = word_count, at; end > 0; end = at) {
    at = end > PIECE / 8 ? end - PIECE / 8 : 0;
    for (u64 i = end; i-- > at;) {
      check(&word[i], ~seed);
      word[i] = seed;
    }
    if (!step(end - at)) return false;
  }
  return true;
}

static bool finish_phase(bool ok, u64 before) {
  if (!ok) return false;
  if (bad_words == before) say("\r  %-28s ok   \n", phase);
  else say("\r  %-28s %lu bad words\n", phase, bad_words - before);
  return true;
}

static void begin_phase(const char *name, u32 passes) {
  phase = name;
  work_done = 0;
  work_total = word_count * passes;
}

static bool own_address(void) {
  u64 before = bad_words;
  begin_phase("own address", 2);
  return finish_phase(up(0, 0, false, 0, 0, true) && up(0, 0, true, 0, 0, false), before);
}

static bool walking_ones(void) {
  u64 before = bad_words;
  begin_phase("walking ones", 16);
  for (u64 seed = 0; seed < 64; seed += 8) if (!up(1, seed, false, 0, 0, true) || !up(1, seed, true, 0, 0, false)) return false;
  return finish_phase(true, before);
}

static bool moving_inversions(const char *name, u64 seed) {
  u64 before = bad_words;
  begin_phase(name, 3);
  return finish_phase(up(2, seed, false, 0, 0, true) && up(2, seed, true, 0, ALL_ONES, true) && down(seed), before);
}

static void report(bool whole) {
  for (u32 i = 0; i < bad_count; i++) {
    struct bad_range *r = &bad[i];
    say("  bad 0x%.8lx - 0x%.8lx, first wrote 0x%.16lx, read 0x%.16lx%s\n", r->start, r->end, r->wrote, r->read,
        r->read == ALL_ONES && r->wrote != ALL_ONES ? " (hole)" : "");
  }
  if (bad_count == MOST_RANGES) say("  there may be more bad ranges: the first %u are listed\n", MOST_RANGES);
  if (!whole) say("test: stopped, %lu bad words so far\n", bad_words);
  else if (bad_words) say("test: %lu bad words in %u range%s\n", bad_words, bad_count, bad_count == 1 ? "" : "s");
  else say("test: no error in %s\n", size_text(word_count * 8));
}

void command_test(u64 address, u64 size) {
  hotplug_use(address, size);
  first_word = address, word_count = size / 8;
  bad_count = 0, bad_words = 0, next_progress = nanoseconds() + PROGRESS_EVERY;
  bool whole = own_address() && walking_ones() && moving_inversions("moving inversions 00/ff", 0) &&
               moving_inversions("moving inversions 55/aa", 0x5555555555555555ul) &&
               moving_inversions("moving inversions random", 0x9e3779b97f4a7c15ul);
  if (!whole) put('\n');
  report(whole);
}
