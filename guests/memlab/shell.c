/* The prompt: line editing, the command table, and the checks of the arguments. */
#include "lab.h"

#define LINE 120
#define MOST_WORDS 6
#define PROMPT "lab> "

enum { CTRL_C = 3, BACKSPACE = 8, CTRL_L = 12, CTRL_U = 21, ESCAPE = 27, DELETE = 127 };

static char line[LINE + 1], last_line[LINE + 1];
static u32 line_length;
static bool after_return;

static void show_line(void) { say(PROMPT "%s", line); }

static void erase_line(void) {
  while (line_length) say("\b \b"), line_length--;
  line[0] = 0;
}

bool interrupted(void) {
  if (hotplug_pending()) {
    put('\n');
    hotplug_service();
  }
  if (!console_ctrl_c()) return false;
  say("^C\n");
  return true;
}

/* Sleeps until a key arrives. Hotplug messages go on separate lines, and the half-typed line is shown again. */
static int wait_key(void) {
  for (;;) {
    __asm__ volatile("cli");
    int key = console_key();
    if (key >= 0) {
      __asm__ volatile("sti");
      return key;
    }
    if (!hotplug_pending()) {
      __asm__ volatile("sti; hlt");
      continue;
    }
    __asm__ volatile("sti");
    put('\r');
    for (u32 i = 0; i < line_length + sizeof PROMPT - 1; i++) put(' ');
    put('\r');
    hotplug_service();
    show_line();
  }
}

static void insert(int key) {
  if (line_length == LINE) {
    put('\a');
    return;
  }
  line[line_length++] = (char)key;
  line[line_length] = 0;
  put((char)key);
}

static void recall(void) {
  erase_line();
  for (const char *p = last_line; *p;) insert(*p++);
}

/* Cursor keys etc.: ESC [ digits letter. Up recalls the last line, the others do nothing. */
static void escape_sequence(void) {
  if (wait_key() != '[') return;
  int key = wait_key();
  while (key < '@') key = wait_key();
  if (key == 'A') recall();
}

static void read_line(void) {
  line_length = 0, line[0] = 0;
  show_line();
  for (;;) {
    int key = wait_key();
    bool pair = key == '\n' && after_return;
    after_return = key == '\r';
    if (pair) continue;
    switch (key) {
      case '\r':
      case '\n': put('\n'); return;
      case CTRL_C:
        say("^C\n");
        line_length = 0, line[0] = 0;
        show_line();
        break;
      case CTRL_L: say("\x1b[2J\x1b[H"); show_line(); break;
      case CTRL_U: erase_line(); break;
      case BACKSPACE:
      case DELETE:
        if (line_length) line[--line_length] = 0, say("\b \b");
        break;
      case ESCAPE: escape_sequence(); break;
      default:
        if (key >= ' ' && key < DELETE) insert(key);
    }
  }
}

enum kind { NONE, ADDRESS, SIZE, NUMBER };

struct command {
  char name[8];
  char usage[20];
  char help[60];
  u8 least, most;
  u8 kinds[3];
  void (*run)(u64 *arguments);
};

static void run_help(u64 *a);
static void run_mem(u64 *a);
static void run_peek(u64 *a) { command_peek(a[0], a[1]); }
static void run_poke(u64 *a) { command_poke(a[0], a[1]); }
static void run_fill(u64 *a) { command_fill(a[0], a[1], a[2]); }
static void run_sum(u64 *a) { command_sum(a[0], a[1]); }
static void run_test(u64 *a) { command_test(a[0], a[1]); }
static void run_watch(u64 *a) { command_watch(a[0]); }
static void run_sweep(u64 *a) { command_sweep(a[0], a[1]); }
static void run_hold(u64 *a) { command_hold(a[0], true); }
static void run_release(u64 *a) { command_hold(a[0], false); }
static void run_bench(u64 *a) { (void)a, command_bench(); }
static void run_cpuid(u64 *a) { (void)a, command_cpuid(); }
static void run_regs(u64 *a) { (void)a, command_regs(); }
static void run_uptime(u64 *a) { (void)a, command_uptime(); }
static void run_reset(u64 *a) { (void)a, command_reset(); }
static void run_halt(u64 *a) { (void)a, command_halt(); }
static void run_fault(u64 *a) { (void)a, command_fault(); }
static void run_crash(u64 *a) { (void)a, command_crash(); }
static void run_off(u64 *a) { (void)a, power_off(); }

static const struct command commands[] = {
  {"help", "", "this list", 0, 0, {0}, run_help},
  {"mem", "", "boot memory, and what is plugged in now", 0, 0, {0}, run_mem},
  {"peek", "ADDR [N]", "show N 64-bit words", 1, 2, {ADDRESS, NUMBER}, run_peek},
  {"poke", "ADDR VALUE", "write a 64-bit word", 2, 2, {ADDRESS, NUMBER}, run_poke},
  {"fill", "ADDR LEN VALUE", "write a range with one 64-bit word", 3, 3, {ADDRESS, SIZE, NUMBER}, run_fill},
  {"sum", "ADDR LEN", "add up the 64-bit words of a range", 2, 2, {ADDRESS, SIZE}, run_sum},
  {"test", "ADDR LEN", "test a range; overwrites it", 2, 2, {ADDRESS, SIZE}, run_test},
  {"watch", "ADDR", "read a word in a tight loop, tell changes and holes", 1, 1, {ADDRESS}, run_watch},
  {"sweep", "ADDR LEN", "read a word of each page, round and round", 2, 2, {ADDRESS, SIZE}, run_sweep},
  {"hold", "SLOT", "refuse to give a DIMM slot's memory back", 1, 1, {NUMBER}, run_hold},
  {"release", "SLOT", "allow it again", 1, 1, {NUMBER}, run_release},
  {"bench", "", "a few integer loops", 0, 0, {0}, run_bench},
  {"cpuid", "", "what the processor says of itself", 0, 0, {0}, run_cpuid},
  {"regs", "", "control registers", 0, 0, {0}, run_regs},
  {"uptime", "", "guest time since power-on", 0, 0, {0}, run_uptime},
  {"fault", "", "raise an exception, to see how it is told", 0, 0, {0}, run_fault},
  {"crash", "", "triple fault: the processor shuts down", 0, 0, {0}, run_crash},
  {"reset", "", "reset the machine", 0, 0, {0}, run_reset},
  {"halt", "", "stop for good, interrupts off", 0, 0, {0}, run_halt},
  {"off", "", "switch the machine off", 0, 0, {0}, run_off},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void run_help(u64 *a) {
  (void)a;
  for (u32 i = 0; i < COMMANDS; i++) say("  %-7s %-15s %s\n", commands[i].name, commands[i].usage, commands[i].help);
  say("  numbers: 0x1000, 4096, 64K, 64M, 1G, 1T; Ctrl-C stops a command\n");
}

static void run_mem(u64 *a) {
  (void)a;
  say("boot memory\n  base            size        kind\n");
  for (u32 i = 0; i < boot_range_count; i++) {
    const struct boot_range *r = &boot_ranges[i];
    if (r->type == 1 || r->type == 3) say("  0x%-12.8lx  %-10s  %s\n", r->base, size_text(r->size), r->type == 1 ? "RAM" : "ACPI");
  }
  if (boot_range_count == 0) say("  the loader gave no memory map\n");
  say("DIMM slots\n");
  hotplug_table();
}

static bool usage(const struct command *c) {
  say("usage: %s%s%s\n", c->name, c->usage[0] ? " " : "", c->usage);
  return false;
}

/* Checks that 8-byte words fit at the address, within reach of the page tables. */
static bool check_range(const struct command *c, const char *word, u64 address, u64 size) {
  u64 limit = 1ul << cpu.physical_bits;
  if (address < limit && size <= limit - address) return true;
  say("%s: %s: physical addresses end at 0x%lx (%u bits)\n", c->name, word, limit, cpu.physical_bits);
  return false;
}

static bool check_write(const struct command *c, u64 address, u64 size) {
  u64 start = (u64)image_start, end = (u64)image_end;
  if (address >= end || address + size <= start) return true;
  say("%s: 0x%lx to 0x%lx is memlab itself, it would overwrite its own code\n", c->name, start, end);
  return false;
}

static bool check_words(const struct command *c, const char *address_word, const char *size_word, u64 address, u64 size) {
  if (address % 8) {
    say("%s: %s: the address must be a multiple of 8\n", c->name, address_word);
    return false;
  }
  if (size == 0 || size % 8) {
    say("%s: %s: the length must be a multiple of 8, at least 8\n", c->name, size_word);
    return false;
  }
  return true;
}

static bool check(const struct command *c, char **words, u32 count, u64 *values) {
  for (u32 i = 0; i < count; i++) {
    if (parse_number(words[i], &values[i])) continue;
    say("%s: %s: not a number below 2^64 (0x1000, 4096, 64K, 64M, 1G)\n", c->name, words[i]);
    return usage(c);
  }
  if (c->kinds[0] != ADDRESS) return true;
  bool ranged = c->kinds[1] == SIZE;
  bool writes = c->run == run_poke || c->run == run_fill || c->run == run_test;
  u64 size = ranged ? values[1] : 8;
  if (c->run == run_peek) {
    if (count == 1) values[1] = 1;
    if (values[1] == 0 || values[1] > 4096) {
      say("peek: %s: from 1 to 4096 words\n", words[1]);
      return false;
    }
    size = values[1] * 8;
  }
  if (ranged && !check_words(c, words[0], words[1], values[0], size)) return false;
  if (!check_range(c, words[0], values[0], size)) return false;
  return !writes || check_write(c, values[0], size);
}

static void run(char **words, u32 count) {
  for (u32 i = 0; i < COMMANDS; i++) {
    const struct command *c = &commands[i];
    if (!same(words[0], c->name)) continue;
    u64 values[MOST_WORDS] = {0};
    u32 given = count - 1;
    if (given < c->least || given > c->most) {
      if (given > c->most) say("%s: %s: one argument too many\n", c->name, words[1 + c->most]);
      else say("%s: an argument is missing\n", c->name);
      usage(c);
    } else if (check(c, words + 1, given, values)) {
      c->run(values);
      hotplug_release();
    }
    return;
  }
  say("%s: unknown command, help lists them\n", words[0]);
}

static u32 split(char **words) {
  u32 count = 0;
  char *p = line;
  while (*p) {
    while (*p == ' ') *p++ = 0;
    if (!*p) break;
    if (count < MOST_WORDS) words[count++] = p;
    while (*p && *p != ' ') p++;
  }
  return count;
}

void shell(void) {
  for (;;) {
    char *words[MOST_WORDS];
    __asm__ volatile("sti");
    hotplug_service();
    read_line();
    if (line[0]) memcpy(last_line, line, sizeof line);
    /* After Ctrl-C, no further line of a paste is run. */
    if (console_ctrl_c()) {
      say("^C\n");
      continue;
    }
    u32 count = split(words);
    if (count) run(words, count);
  }
}
