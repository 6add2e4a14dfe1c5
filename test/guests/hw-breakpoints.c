/*
 * The debug registers as Linux programs use them: a debugger with ptrace's u_debugreg, and perf's breakpoint events. Prints what was seen,
 * and where; on a real processor the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXECUTE 0
#define WRITE 1
#define ACCESS 3
/* DR7 for breakpoint n: enabled for this task, `kind`, and a length of 1, 2, 4 or 8 bytes. */
#define DR7(n, kind, length) ((1ul << 2 * (n)) | (unsigned long)((kind) | (length##_BYTES) << 2) << (16 + 4 * (n)))
#define ONE_BYTES 0
#define TWO_BYTES 1
#define EIGHT_BYTES 2
#define FOUR_BYTES 3

#define SPOTS(spot) spot(marked) spot(marked_step) spot(store) spot(stored) spot(store_byte) spot(byte_stored) spot(load) spot(loaded) \
  spot(fill) spot(filling) spot(filled)
#define DECLARE(name) extern const char name[];
SPOTS(DECLARE)

uint64_t cell[4] __attribute__((aligned(64)));

asm(".text\n"
    "marked:      lea 1(%rdi), %rax\n"
    "marked_step: ret\n"
    "store:       movq %rdi, cell(%rip)\n"
    "stored:      ret\n"
    "store_byte:  movb $7, (%rdi)\n"
    "byte_stored: ret\n"
    "load:        movq cell(%rip), %rax\n"
    "loaded:      ret\n"
    "fill:        movl $12, %ecx\n"
    "             movb $0x5a, %al\n"
    "filling:     rep stosb\n"
    "filled:      ret\n");

static unsigned long call(const char *code, unsigned long value) {
  return ((unsigned long (*)(unsigned long))code)(value);
}

static const char *spot_of(unsigned long address) {
#define FIND(name) \
  if (address == (unsigned long)name) return #name;
  SPOTS(FIND)
  return "elsewhere";
}

static void fail(const char *what) {
  printf("%s: %s\n", what, strerror(errno));
  exit(1);
}

static void on_processor(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("sched_setaffinity");
}

/* ptrace */

static long debug_register(int n) {
  return offsetof(struct user, u_debugreg) + n * sizeof(long);
}

static pid_t traced(void (*body)(void)) {
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    memset(cell, 0, sizeof cell);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    body();
    _exit(0);
  }
  int status;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) fail("the child does not stop");
  return child;
}

static void arm(pid_t child, const void *const address[4], unsigned long dr7) {
  for (int n = 0; n < 4; n++)
    if (address[n] && ptrace(PTRACE_POKEUSER, child, debug_register(n), address[n]) != 0) fail("PTRACE_POKEUSER of an address");
  if (ptrace(PTRACE_POKEUSER, child, debug_register(7), dr7) != 0) fail("PTRACE_POKEUSER of DR7");
}

/* One stop in a line: where, why, and what the program's register and memory are there. False: it has ended. */
static int show_stop(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) != child) fail("waitpid");
  if (WIFEXITED(status)) return 0;
  struct user_regs_struct regs;
  siginfo_t info;
  if (ptrace(PTRACE_GETREGS, child, 0, &regs) != 0 || ptrace(PTRACE_GETSIGINFO, child, 0, &info) != 0) fail("ptrace");
  unsigned long dr6 = ptrace(PTRACE_PEEKUSER, child, debug_register(6), 0);
  unsigned long value = ptrace(PTRACE_PEEKDATA, child, cell, 0);
  const char *code = info.si_code == TRAP_HWBKPT ? "breakpoint" : info.si_code == TRAP_TRACE ? "step" : "?";
  const char *spot = spot_of(regs.rip);
  printf("  %s: %s, DR6 %lx, ", spot, WSTOPSIG(status) == SIGTRAP ? code : strsignal(WSTOPSIG(status)), dr6);
  if (spot[0] == 'm') printf("rdi %lx\n", (unsigned long)regs.rdi);
  else if (spot[0] == 'f') printf("cell %lx, rcx %lx\n", value, (unsigned long)regs.rcx);
  else printf("cell %lx\n", value);
  ptrace(PTRACE_POKEUSER, child, debug_register(6), 0);
  return 1;
}

static void watch_child(const char *title, void (*body)(void), const void *const address[4], unsigned long dr7) {
  printf("%s\n", title);
  pid_t child = traced(body);
  arm(child, address, dr7);
  do ptrace(PTRACE_CONT, child, 0, 0);
  while (show_stop(child));
}

static void calls_marked(void) {
  for (unsigned long n = 1; n <= 3; n++) call(marked, n);
}
static void stores_and_loads(void) {
  call(store, 5);
  call(load, 0);
  call(store_byte, (unsigned long)cell + 5);
  call(store_byte, (unsigned long)cell + 8);
  call(store, 6);
}
static void fills(void) {
  call(fill, (unsigned long)cell);
}

/* From a breakpoint with single steps: the instruction that waited there runs once. */
static void step_on(void) {
  printf("steps from a breakpoint\n");
  pid_t child = traced(calls_marked);
  arm(child, (const void *const[4]){marked}, DR7(0, EXECUTE, ONE));
  ptrace(PTRACE_CONT, child, 0, 0);
  show_stop(child);
  ptrace(PTRACE_SINGLESTEP, child, 0, 0);
  show_stop(child);
  arm(child, (const void *const[4]){0}, 0);
  ptrace(PTRACE_CONT, child, 0, 0);
  if (show_stop(child)) printf("  a stop without a breakpoint\n");
}

static void calls_in_turns(void) {
  for (int n = 0; n < 40; n++) {
    call(n & 1 ? store : marked, n);
    sched_yield();
  }
}

/* Two programs on one processor, each with debug registers of its own. */
static void two_at_once(void) {
  pid_t child[2];
  int stops[2][3] = {0};
  for (int n = 0; n < 2; n++) child[n] = traced(calls_in_turns);
  arm(child[0], (const void *const[4]){marked}, DR7(0, EXECUTE, ONE));
  arm(child[1], (const void *const[4]){cell}, DR7(0, WRITE, EIGHT));
  for (int n = 0; n < 2; n++) ptrace(PTRACE_CONT, child[n], 0, 0);
  for (int running = 2; running;) {
    int status;
    pid_t who = waitpid(-1, &status, 0);
    if (who < 0) fail("waitpid");
    if (WIFEXITED(status)) {
      running--;
      continue;
    }
    struct user_regs_struct regs;
    ptrace(PTRACE_GETREGS, who, 0, &regs);
    stops[who == child[1]][regs.rip == (unsigned long)marked ? 0 : regs.rip == (unsigned long)stored ? 1 : 2]++;
    ptrace(PTRACE_CONT, who, 0, 0);
  }
  for (int n = 0; n < 2; n++) printf("of two at once, %s: %d at marked, %d at stored, %d elsewhere\n", n ? "the second" : "the first",
                                     stops[n][0], stops[n][1], stops[n][2]);
}

/* perf */

static int event(int type, const void *address, unsigned long length, int kernel, int sample, pid_t pid, int cpu) {
  struct perf_event_attr attr = {.type = PERF_TYPE_BREAKPOINT,
                                 .size = sizeof attr,
                                 .bp_type = type,
                                 .bp_addr = (unsigned long)address,
                                 .bp_len = length,
                                 .sample_period = sample,
                                 .sample_type = sample ? PERF_SAMPLE_IP : 0,
                                 .exclude_kernel = !kernel,
                                 .exclude_hv = 1};
  int fd = syscall(SYS_perf_event_open, &attr, pid, cpu, -1, 0);
  if (fd < 0) fail(kernel ? "perf_event_open for the kernel" : "perf_event_open");
  return fd;
}

static long count_of(int fd) {
  uint64_t count;
  if (read(fd, &count, sizeof count) != sizeof count) fail("read of a count");
  close(fd);
  return count;
}

static void counts(void) {
  int code = event(HW_BREAKPOINT_X, marked, sizeof(long), 0, 0, 0, -1);
  int writes = event(HW_BREAKPOINT_W, cell, HW_BREAKPOINT_LEN_8, 0, 0, 0, -1);
  int both = event(HW_BREAKPOINT_RW, cell, HW_BREAKPOINT_LEN_8, 0, 0, 0, -1);
  calls_marked();
  stores_and_loads();
  calls_marked();
  printf("perf: %ld calls, %ld writes, %ld reads and writes\n", count_of(code), count_of(writes), count_of(both));
}

static void samples(void) {
  int fd = event(HW_BREAKPOINT_W, cell, HW_BREAKPOINT_LEN_8, 0, 1, 0, -1);
  struct perf_event_mmap_page *page = mmap(0, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) fail("mmap of the samples");
  stores_and_loads();
  printf("perf, samples:");
  struct sample {
    struct perf_event_header header;
    uint64_t ip;
  };
  for (uint64_t at = 0; at < page->data_head;) {
    struct sample *sample = (struct sample *)((char *)page + 4096 + at);
    if (sample->header.type == PERF_RECORD_SAMPLE) printf(" %s", spot_of(sample->ip));
    at += sample->header.size;
  }
  printf("\n");
  munmap(page, 2 * 4096);
  close(fd);
}

/* The address of a function of the kernel; 0 where it does not say. */
static const void *kernel_symbol(const char *name) {
  FILE *file = fopen("/proc/kallsyms", "r");
  unsigned long address = 0;
  char kind, found[256];
  while (file && fscanf(file, "%lx %c %255s%*[^\n]", &address, &kind, found) == 3)
    if (strcmp(found, name) == 0) break;
    else address = 0;
  if (file) fclose(file);
  return (const void *)address;
}

/* Last of all: a kernel without kprobes refuses it. */
static void kernel_code(void) {
  int fd = event(HW_BREAKPOINT_X, kernel_symbol("__x64_sys_getppid"), sizeof(long), 1, 0, 0, -1);
  for (int n = 0; n < 6; n++) syscall(SYS_getppid);
  printf("perf: %ld calls of the kernel's getppid\n", count_of(fd));
}

static void kernel_writes(void) {
  int tube[2];
  if (pipe(tube) != 0 || write(tube[1], "01234567", 8) != 8) fail("pipe");
  int user = event(HW_BREAKPOINT_W, cell, HW_BREAKPOINT_LEN_8, 0, 0, 0, -1);
  int kernel = event(HW_BREAKPOINT_W, cell, HW_BREAKPOINT_LEN_8, 1, 0, 0, -1);
  if (read(tube[0], cell, 8) != 8) fail("read");
  printf("perf: the kernel's copy to a watched buffer is %s\n",
         count_of(user) != 0 ? "taken for the program's" : count_of(kernel) > 0 ? "seen" : "not seen");
}

/* Whatever runs on one processor, while the same code runs on each. */
static void each_processor(void) {
  int processors = sysconf(_SC_NPROCESSORS_ONLN);
  for (int cpu = 0; cpu < processors; cpu++) {
    int fd = event(HW_BREAKPOINT_X, marked, sizeof(long), 0, 0, -1, cpu);
    for (int other = 0; other < processors; other++) {
      on_processor(other);
      for (int n = 0; n < 4 + other; n++) call(marked, n);
    }
    printf("perf, processor %d: %ld calls\n", cpu, count_of(fd));
  }
  on_processor(0);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  on_processor(0);
  watch_child("execute", calls_marked, (const void *const[4]){marked}, DR7(0, EXECUTE, ONE));
  watch_child("write, 8 bytes", stores_and_loads, (const void *const[4]){0, cell}, DR7(1, WRITE, EIGHT));
  watch_child("read or write, 4 bytes", stores_and_loads, (const void *const[4]){0, 0, (char *)cell + 4}, DR7(2, ACCESS, FOUR));
  watch_child("write, 2 bytes of 8", stores_and_loads, (const void *const[4]){0, 0, 0, (char *)cell + 6}, DR7(3, WRITE, TWO));
  watch_child("several at one instruction", stores_and_loads, (const void *const[4]){stored, cell, cell, (char *)cell + 5},
              DR7(0, EXECUTE, ONE) | DR7(1, WRITE, EIGHT) | DR7(2, ACCESS, EIGHT) | DR7(3, WRITE, ONE));
  watch_child("each iteration of a string instruction", fills, (const void *const[4]){(char *)cell + 4}, DR7(0, WRITE, TWO));
  step_on();
  two_at_once();
  counts();
  samples();
  kernel_writes();
  each_processor();
  kernel_code();
  return 0;
}
