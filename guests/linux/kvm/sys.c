#include "sys.h"
#include <asm/unistd.h>
#include <linux/futex.h>
#include <linux/sched.h>

#define PROT_RW 3
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define STACK 0x10000

long sys(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

_Noreturn void leave(int status)
{
	flush();
	for (;;)
		sys1(__NR_exit_group, status);
}

int open_rw(const char *path)
{
	return sys3(__NR_open, path, 2, 0);
}

long io(int fd, unsigned long request, unsigned long argument)
{
	return sys3(__NR_ioctl, fd, request, argument);
}

void close_fd(int fd)
{
	sys1(__NR_close, fd);
}

static void *mapped(uintptr_t address, size_t size, int flags, int fd, size_t offset)
{
	long at = sys(__NR_mmap, address, size, PROT_RW, flags | (address ? MAP_FIXED : 0), fd, offset);
	if (at < 0 && at > -4096) {
		text("no memory\n");
		leave(1);
	}
	return (void *)at;
}

void *map(uintptr_t address, size_t size)
{
	return mapped(address, size, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void *map_fd(int fd, size_t size)
{
	return mapped(0, size, MAP_SHARED, fd, 0);
}

void *map_fd_at(int fd, size_t size, size_t offset)
{
	return mapped(0, size, MAP_SHARED, fd, offset);
}

void unmap(void *at, size_t size)
{
	sys2(__NR_munmap, at, size);
}

uint64_t now(void)
{
	struct { long seconds, nanoseconds; } time;
	sys2(__NR_clock_gettime, 1, &time);
	return (uint64_t)time.seconds * 1000000000u + time.nanoseconds;
}

void pause_ms(unsigned ms)
{
	struct { long seconds, nanoseconds; } time = { ms / 1000, (long)(ms % 1000) * 1000000 };
	sys2(__NR_nanosleep, &time, 0);
}

struct start { void (*run)(void *); void *argument; };

static _Noreturn void thread(struct start *start) __attribute__((used));
static _Noreturn void thread(struct start *start)
{
	start->run(start->argument);
	for (;;)
		sys1(__NR_exit, 0);
}

int start_thread(void (*run)(void *), void *argument)
{
	char *top = (char *)map(0, STACK) + STACK;
	struct start *start = (struct start *)(top - sizeof *start);
	start->run = run;
	start->argument = argument;
	long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	long id;
	/* The child finds its function on its stack, since it shares nothing else with this function. */
	__asm__ volatile("xor %%edx, %%edx\n\t"
			 "xor %%r10d, %%r10d\n\t"
			 "xor %%r8d, %%r8d\n\t"
			 "syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "mov %%rsp, %%rdi\n\t"
			 "and $-16, %%rsp\n\t"
			 "call thread\n"
			 "1:"
			 : "=a"(id)
			 : "a"((long)__NR_clone), "D"(flags), "S"(start)
			 : "rdx", "r10", "r8", "rcx", "r11", "memory");
	return id;
}

void wait_while(volatile int *cell, int value)
{
	while (*cell == value)
		sys(__NR_futex, (long)cell, FUTEX_WAIT, value, 0, 0, 0);
}

void wake(volatile int *cell)
{
	sys3(__NR_futex, cell, FUTEX_WAKE, 0x7fffffff);
}

static char output[4096];
static unsigned filled;

void flush(void)
{
	unsigned done = 0;
	while (done < filled) {
		long n = sys3(__NR_write, 1, output + done, filled - done);
		if (n <= 0)
			break;
		done += n;
	}
	filled = 0;
}

void character(char c)
{
	if (filled == sizeof output)
		flush();
	output[filled++] = c;
}

void text(const char *string)
{
	while (*string)
		character(*string++);
}

void hex(uint64_t value)
{
	int shift = 60;
	while (shift > 0 && !(value >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		character("0123456789abcdef"[value >> shift & 15]);
}

void dec(int64_t value)
{
	char digits[20];
	int count = 0;
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	if (value < 0)
		character('-');
	do
		digits[count++] = '0' + rest % 10;
	while (rest /= 10);
	while (count)
		character(digits[--count]);
}

int read_line(char *line, int size)
{
	int length = 0;
	flush();
	for (;;) {
		char c;
		if (sys3(__NR_read, 0, &c, 1) != 1)
			return -1;
		if (c == '\n' || c == '\r')
			break;
		if (length < size - 1)
			line[length++] = c;
	}
	line[length] = 0;
	return length;
}

char *word(char **line)
{
	char *at = *line;
	while (*at == ' ')
		at++;
	if (!*at)
		return 0;
	char *start = at;
	while (*at && *at != ' ')
		at++;
	if (*at)
		*at++ = 0;
	*line = at;
	return start;
}

int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

int number(const char *string, uint64_t *value)
{
	unsigned base = 10;
	uint64_t sum = 0;
	if (string[0] == '0' && string[1] == 'x')
		string += 2, base = 16;
	if (!*string)
		return 0;
	for (; *string; string++) {
		unsigned digit = *string >= '0' && *string <= '9' ? *string - '0' : (*string | 32) - 'a' + 10;
		if (digit < base) {
			sum = sum * base + digit;
			continue;
		}
		if (string[1])
			return 0;
		if ((*string | 32) == 'k')
			sum <<= 10;
		else if ((*string | 32) == 'm')
			sum <<= 20;
		else if ((*string | 32) == 'g')
			sum <<= 30;
		else
			return 0;
	}
	*value = sum;
	return 1;
}

/* What the compiler may call. */
void *memcpy(void *to, const void *from, size_t size)
{
	void *result = to;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	return result;
}

void *memset(void *to, int value, size_t size)
{
	void *result = to;
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
	return result;
}

int main(int argc, char **argv);
_Noreturn void begin(long *stack) __attribute__((used));
_Noreturn void begin(long *stack)
{
	leave(main((int)stack[0], (char **)(stack + 1)));
}
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
