/* Two vCPUs for a debugger: each writes a variable of its own, and vCPU 1 writes one that vCPU 0 reads. */
typedef unsigned int u32;
typedef unsigned long u64;

volatile u64 rounds, shared, seen;
extern char second_start[], second_start_end[];

static void apic(u32 reg, u32 value) { *(volatile u32 *)(0xfee00000ul + reg) = value; }

__attribute__((noinline)) u64 twice(u64 value) {
  u64 result = value;
  result += value;
  return result;
}

__attribute__((noinline)) void round_of(u64 number) {
  rounds = number;
  seen = twice(shared);
}

void second(void) {
  for (u64 number = 1;; number++) {
    for (volatile u32 wait = 0; wait < 500; wait++) {}
    shared = number;
  }
}

void lab_main(void) {
  for (u32 i = 0; i < second_start_end - second_start; i++) ((volatile char *)0x8000)[i] = second_start[i];
  apic(0xf0, 0x1ff);
  apic(0x300, 0xc4500);
  apic(0x300, 0xc4608);
  for (u64 number = 1;; number++) round_of(number);
}

/* boot.S refers to these; this guest does not use them. */
void trap(void) {
  for (;;) __asm__ volatile("cli; hlt");
}
void shell(void) {}
