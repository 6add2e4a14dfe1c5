/* System calls and text helpers without a C library, so that the programs are small and contain no third-party code. */
#ifndef SYS_H
#define SYS_H

#include <stddef.h>
#include <stdint.h>

/* Errors are returned as -errno, as by the kernel. */
long sys(long number, long a, long b, long c, long d, long e, long f);
#define sys0(n) sys(n, 0, 0, 0, 0, 0, 0)
#define sys1(n, a) sys(n, (long)(a), 0, 0, 0, 0, 0)
#define sys2(n, a, b) sys(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define sys3(n, a, b, c) sys(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)

int open_rw(const char *path);
long io(int fd, unsigned long request, unsigned long argument);
void close_fd(int fd);
/* Zeroed memory at the given address, or anywhere (address 0). Exits if there is none. */
void *map(uintptr_t address, size_t size);
void *map_fd(int fd, size_t size);
void *map_fd_at(int fd, size_t size, size_t offset);
void unmap(void *at, size_t size);
/* ns */
uint64_t now(void);
void pause_ms(unsigned ms);
_Noreturn void leave(int status);

/* Starts a thread of this process on its own stack and returns its number. It ends by returning. */
int start_thread(void (*run)(void *), void *argument);
void wait_while(volatile int *cell, int value);
void wake(volatile int *cell);

/* Output is kept until flush or a full buffer. */
void text(const char *string);
void hex(uint64_t value);
void dec(int64_t value);
void character(char c);
void flush(void);
/* Reads a line without its end into `line`; -1 at the end of input. */
int read_line(char *line, int size);

/* Takes the next word of a line; 0: none. */
char *word(char **line);
int same(const char *a, const char *b);
/* 0x..., decimal, suffix K, M, G; 1: it was a number. */
int number(const char *string, uint64_t *value);

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
#endif
