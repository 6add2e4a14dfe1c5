/*
 * Runs single instructions on the host processor. Reads cases from stdin, writes results to stdout; layouts: case.ts.
 *
 * A case starts with every register loaded, runs the instruction at CODE and ends with the int3 bytes that fill the rest
 * of the page, or with a fault; the signal frame then holds the state. Vectors come from REG_TRAPNO, as the kernel saw them.
 * Cases of 32- and 16-bit code are entered by a far jump; their segments lie in the LDT (segments.ts says which).
 * `native legacy` only checks whether this host can do that: status 0, or a line with the reason.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x10000000UL
#define CODE_SIZE 0x1000UL
#define DATA 0x20000000UL
#define DATA_SIZE 0x2000UL
/* Bases of FS and GS in 64-bit cases: segments.ts. */
#define FS_BASE 0x100UL
#define GS_BASE 0x200UL
#define FLAGS_TO_CLEAR "0x44400" /* AC, NT, DF */

struct input {
  uint8_t code[16];
  uint64_t gpr[16]; /* encoding order */
  uint64_t flags;
  uint64_t offset; /* where in the page the instruction starts */
  uint32_t mode; /* 64, 32 or 16 */
  uint32_t uses_fs; /* 64-bit code with an FS override: the FS base is temporarily ours, not C's */
  uint32_t frame_at; /* in the data */
  uint32_t frame_size;
  uint8_t fx[512];
  uint8_t frame[40];
};

struct output {
  uint64_t gpr[16];
  uint64_t rip;
  uint64_t flags;
  uint64_t vector;
  uint64_t error;
  uint64_t cr2;
  uint16_t segments[8]; /* ES CS SS DS FS GS */
  uint64_t unused;
  uint8_t fx[512];
  uint8_t data[DATA_SIZE];
};

static struct input in __attribute__((aligned(16), used));
static struct output out;
static uint8_t pattern[DATA_SIZE];
static sigjmp_buf back;
static uint64_t c_fs_base;

/* In asm, since errno lies behind FS. */
static long set_base(long which, uint64_t base) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_arch_prctl), "D"(which), "S"(base) : "rcx", "r11", "memory");
  return result;
}

/* Restore C's environment first: FS, GS, flags. Compiled without stack protector, which would use FS before that. */
static void on_signal(int number, siginfo_t *info, void *context) {
  __asm__ volatile("movw %%es, %0\n movw %%ds, %1\n movw %%fs, %2\n movw %%gs, %3\n"
                   : "=m"(out.segments[0]), "=m"(out.segments[3]), "=m"(out.segments[4]), "=m"(out.segments[5]));
  __asm__ volatile("pushfq; andq $~" FLAGS_TO_CLEAR ", (%%rsp); popfq\n"
                   "movw %w0, %%es; movw %w0, %%ds; movw %w0, %%fs; movw %w0, %%gs; movw %w1, %%ss"
                   :
                   : "r"(0), "r"(0x2b)
                   : "cc", "memory");
  set_base(ARCH_SET_FS, c_fs_base);
  set_base(ARCH_SET_GS, GS_BASE);
  (void)number;
  (void)info;
  static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  ucontext_t *uc = context;
  for (int i = 0; i < 16; i++) out.gpr[i] = uc->uc_mcontext.gregs[order[i]];
  out.rip = uc->uc_mcontext.gregs[REG_RIP];
  out.flags = uc->uc_mcontext.gregs[REG_EFL];
  out.vector = uc->uc_mcontext.gregs[REG_TRAPNO];
  out.error = uc->uc_mcontext.gregs[REG_ERR];
  out.cr2 = out.vector == 14 ? uc->uc_mcontext.gregs[REG_CR2] : 0;
  uint64_t selectors = uc->uc_mcontext.gregs[REG_CSGSFS];
  out.segments[1] = selectors;
  out.segments[2] = selectors >> 48;
  memcpy(out.fx, uc->uc_mcontext.fpregs, 512);
  siglongjmp(back, 1);
}

/* What the assembly below addresses by number. */
_Static_assert(offsetof(struct input, gpr) == 16 && offsetof(struct input, flags) == 144 && offsetof(struct input, fx) == 176, "layout");

static uint64_t target __attribute__((used));
static struct {
  uint32_t offset;
  uint16_t selector;
} far_target __attribute__((used));
static uint16_t stack_selector __attribute__((used));

/* Loads the whole state and jumps. No register keeps a value of C's, so the signal handler returns by longjmp. */
#define LOAD_STATE                \
  "fxrstor64 in+176(%rip)\n"      \
  "pushq in+144(%rip)\n"          \
  "popfq\n"                       \
  "movq in+16(%rip), %rax\n"      \
  "movq in+24(%rip), %rcx\n"      \
  "movq in+32(%rip), %rdx\n"      \
  "movq in+40(%rip), %rbx\n"      \
  "movq in+48(%rip), %rsp\n"      \
  "movq in+56(%rip), %rbp\n"      \
  "movq in+64(%rip), %rsi\n"      \
  "movq in+72(%rip), %rdi\n"      \
  "movq in+80(%rip), %r8\n"       \
  "movq in+88(%rip), %r9\n"       \
  "movq in+96(%rip), %r10\n"      \
  "movq in+104(%rip), %r11\n"     \
  "movq in+112(%rip), %r12\n"     \
  "movq in+120(%rip), %r13\n"     \
  "movq in+128(%rip), %r14\n"     \
  "movq in+136(%rip), %r15\n"

__attribute__((naked, noinline)) static void launch_long(void) {
  __asm__ volatile(LOAD_STATE "jmp *target(%rip)\n");
}
__attribute__((naked, noinline)) static void launch_legacy(void) {
  __asm__ volatile(LOAD_STATE "movw stack_selector(%rip), %ss\n ljmp *far_target(%rip)\n");
}

static int read_all(void *to, size_t size) {
  return fread(to, 1, size, stdin) == size;
}

/* The LDT of segments.ts. */
static int write_ldt(void) {
  static const struct user_desc entries[] = {
      {.entry_number = 0, .base_addr = CODE, .limit = 0xfff, .contents = 2},
      {.entry_number = 1, .base_addr = DATA, .limit = 0x1fff},
      {.entry_number = 2, .base_addr = DATA, .limit = 0x1fff},
      {.entry_number = 3, .base_addr = FS_BASE, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1},
      {.entry_number = 4, .base_addr = GS_BASE, .limit = 0x20000, .seg_32bit = 1, .limit_in_pages = 1},
      {.entry_number = 5, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .seg_not_present = 1},
      {.entry_number = 6, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .read_exec_only = 1},
      {.entry_number = 7, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .contents = 2, .read_exec_only = 1},
      {.entry_number = 8, .limit = 0x1ffff, .seg_32bit = 1, .limit_in_pages = 1, .contents = 1},
      {.entry_number = 9, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .contents = 2, .seg_not_present = 1},
  };
  for (unsigned i = 0; i < sizeof entries / sizeof *entries; i++)
    if (syscall(SYS_modify_ldt, 1, &entries[i], sizeof entries[i]) != 0) return 0;
  return 1;
}

static void prepare_legacy(void) {
  far_target.offset = in.mode == 32 ? CODE + in.offset : in.offset;
  far_target.selector = in.mode == 32 ? 0x23 : 0x07;
  stack_selector = in.mode == 32 ? 0x2b : 0x17;
  __asm__ volatile("movw %w0, %%ds; movw %w0, %%es; movw %w1, %%gs; movw %w2, %%fs" : : "r"(in.mode == 32 ? 0x2b : 0x0f), "r"(0x27), "r"(0x1f) : "memory");
}

static void run(void) {
  memset((void *)CODE, 0xcc, CODE_SIZE);
  memcpy((void *)(CODE + in.offset), in.code, 16);
  memcpy((void *)DATA, pattern, DATA_SIZE);
  memcpy((void *)(DATA + in.frame_at), in.frame, in.frame_size);
  memset(&out, 0, sizeof out);
  target = CODE + in.offset;
  if (sigsetjmp(back, 0) != 0) return;
  if (in.mode != 64) {
    prepare_legacy();
    launch_legacy();
  }
  if (in.uses_fs) set_base(ARCH_SET_FS, FS_BASE);
  launch_long();
}

/* One NOP in 32- and one in 16-bit code. */
static int check_legacy(int has_ldt) {
  if (!has_ldt) {
    puts("modify_ldt(2) is refused: 16-bit segments cannot be made");
    return 1;
  }
  for (unsigned mode = 32; mode >= 16; mode -= 16) {
    memset(&in, 0, sizeof in);
    in.mode = mode;
    in.flags = 0x202;
    in.code[0] = 0x40; /* inc eax here, a REX prefix in 64-bit code */
    in.fx[0] = 0x7f;
    in.fx[1] = 3;
    in.fx[24] = 0x80;
    in.fx[25] = 0x1f;
    memset(in.code + 1, 0xcc, 15);
    run();
    if (out.vector != 3 || (uint32_t)out.gpr[0] != 1) {
      printf("%u-bit code does not run here: vector %lu\n", mode, out.vector);
      return 1;
    }
  }
  return 0;
}

int main(int argc, char **argv) {
  /* A PIE, since nothing of this program may lie below 4 GiB, where 32-bit cases reach; and with the same addresses in every run. */
  int persona = personality(0xffffffff);
  if (persona != -1 && !(persona & ADDR_NO_RANDOMIZE) && personality(persona | ADDR_NO_RANDOMIZE) != -1) execv("/proc/self/exe", argv);
  if (mmap((void *)CODE, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ||
      mmap((void *)DATA, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED) {
    perror("mmap");
    return 1;
  }
  stack_t alt = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
  sigaltstack(&alt, NULL);
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  action.sa_sigaction = on_signal;
  int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  __asm__ volatile("syscall" : : "a"(SYS_arch_prctl), "D"(ARCH_GET_FS), "S"(&c_fs_base) : "rcx", "r11", "memory");
  int has_ldt = write_ldt();
  set_base(ARCH_SET_GS, GS_BASE);
  alarm(60); /* no batch takes this long, so a case must be looping */
  if (argc > 1 && strcmp(argv[1], "legacy") == 0) return check_legacy(has_ldt);
  if (!read_all(pattern, sizeof pattern)) return 1;
  while (read_all(&in, sizeof in)) {
    run();
    memcpy(out.data, (void *)DATA, DATA_SIZE);
    if (fwrite(&out, sizeof out, 1, stdout) != 1) return 1;
  }
  return 0;
}
