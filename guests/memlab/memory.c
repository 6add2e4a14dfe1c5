/* peek, poke, fill, sum. The bus returns all ones where there is no memory; that is reported as a hole. */
#include "lab.h"

void command_peek(u64 address, u64 words) {
  for (u64 i = 0; i < words; i++, address += 8) {
    u64 value = read64(address);
    say("0x%.8lx: 0x%.16lx%s\n", address, value, value == ALL_ONES ? "  hole" : "");
    if (interrupted()) return;
  }
}

void command_poke(u64 address, u64 value) {
  write64(address, value);
  u64 now = read64(address);
  if (now == value) return;
  say("poke: 0x%.8lx did not take 0x%lx, it reads 0x%.16lx: %s\n", address, value, now, now == ALL_ONES ? "no memory is there" : "read-only, or no memory");
}

static u64 piece_of(u64 left) { return left < MIB ? left : MIB; }

void command_fill(u64 address, u64 size, u64 value) {
  u64 bad = 0;
  hotplug_use(address, size);
  for (u64 done = 0, piece; done < size; done += piece) {
    if (interrupted()) {
      say("fill: stopped after %s\n", size_text(done));
      return;
    }
    piece = piece_of(size - done);
    volatile u64 *word = (volatile u64 *)(address + done);
    for (u64 i = 0; i < piece / 8; i++) word[i] = value;
    for (u64 i = 0; i < piece / 8; i++) bad += word[i] != value;
  }
  if (bad) say("fill: %lu of %lu words did not take the value: read-only, or no memory\n", bad, size / 8);
}

void command_sum(u64 address, u64 size) {
  u64 sum = 0, holes = 0;
  hotplug_use(address, size);
  for (u64 done = 0, piece; done < size; done += piece) {
    if (interrupted()) {
      say("sum: stopped after %s\n", size_text(done));
      return;
    }
    piece = piece_of(size - done);
    volatile u64 *word = (volatile u64 *)(address + done);
    for (u64 i = 0; i < piece / 8; i++) {
      u64 value = word[i];
      if (value == ALL_ONES) holes++;
      sum += value;
    }
  }
  say("sum 0x%.16lx over %lu words", sum, size / 8);
  if (holes) say(", %lu of them all ones (hole)", holes);
  put('\n');
}
