/*
 * Runs single instructions on the host processor. Reads cases from stdin, writes results to stdout; layouts: case.ts.
 *
 * A case starts with every register loaded, runs the instruction at CODE and ends with the int3 bytes that fill the rest
 * of the page, or with a fault; the signal frame then holds the state. Vectors come from REG_TRAPNO, as the kernel saw them.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x10000000UL
#define CODE_SIZE 0x1000UL
#define DATA 0x20000000UL
#define DATA_SIZE 0x2000UL

struct input {
  uint8_t code[16];
  uint64_t gpr[16]; /* encoding order */
  uint64_t flags;
  uint64_t offset; /* where in the page the instruction starts */
  uint8_t fx[512];
};

struct output {
  uint64_t gpr[16];
  uint64_t rip;
  uint64_t flags;
  uint64_t vector;
  uint64_t error;
  uint64_t cr2;
  uint64_t reserved;
  uint8_t fx[512];
  uint8_t data[DATA_SIZE];
};

static struct input in __attribute__((aligned(16), used));
static struct output out;
static uint8_t pattern[DATA_SIZE];
static sigjmp_buf back;

static void on_signal(int number, siginfo_t *info, void *context) {
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
  memcpy(out.fx, uc->uc_mcontext.fpregs, 512);
  siglongjmp(back, 1);
}

/* What the assembly below addresses by number. */
_Static_assert(offsetof(struct input, gpr) == 16 && offsetof(struct input, flags) == 144 && offsetof(struct input, fx) == 160, "layout");

/* Loads the whole state and jumps: nothing of C's is left in a register, so the way back is the signal handler's longjmp. */
static uint64_t target __attribute__((used));
__attribute__((naked, noinline)) static void launch(void) {
  __asm__ volatile(
      "fxrstor64 in+160(%rip)\n"
      "pushq in+144(%rip)\n"
      "popfq\n"
      "movq in+16(%rip), %rax\n"
      "movq in+24(%rip), %rcx\n"
      "movq in+32(%rip), %rdx\n"
      "movq in+40(%rip), %rbx\n"
      "movq in+48(%rip), %rsp\n"
      "movq in+56(%rip), %rbp\n"
      "movq in+64(%rip), %rsi\n"
      "movq in+72(%rip), %rdi\n"
      "movq in+80(%rip), %r8\n"
      "movq in+88(%rip), %r9\n"
      "movq in+96(%rip), %r10\n"
      "movq in+104(%rip), %r11\n"
      "movq in+112(%rip), %r12\n"
      "movq in+120(%rip), %r13\n"
      "movq in+128(%rip), %r14\n"
      "movq in+136(%rip), %r15\n"
      "jmp *target(%rip)\n");
}

static int read_all(void *to, size_t size) {
  return fread(to, 1, size, stdin) == size;
}

int main(int argc, char **argv) {
  (void)argc;
  /* The heap of a non-PIE may land right behind DATA: without randomisation nothing is mapped there in any run. */
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
  if (!read_all(pattern, sizeof pattern)) return 1;
  alarm(60); /* no batch takes this long: a case loops */
  while (read_all(&in, sizeof in)) {
    memset((void *)CODE, 0xcc, CODE_SIZE);
    memcpy((void *)(CODE + in.offset), in.code, 16);
    memcpy((void *)DATA, pattern, DATA_SIZE);
    memset(&out, 0, sizeof out);
    target = CODE + in.offset;
    if (sigsetjmp(back, 0) == 0) launch();
    /* The case may have left DF or AC set: C code needs them clear. */
    __asm__ volatile("pushfq; andq $~0x40400, (%%rsp); popfq" ::: "cc", "memory");
    memcpy(out.data, (void *)DATA, DATA_SIZE);
    if (fwrite(&out, sizeof out, 1, stdout) != 1) return 1;
  }
  return 0;
}
