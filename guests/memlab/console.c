/*
 * COM1: bytes are received by interrupt into a ring, and sent by polling. A full ring reads no more from the UART: the receive interrupt is off and
 * RTS is low until half of the ring is free, so a long paste waits before the chip and nothing is lost. Ctrl-C is a byte like any other and keeps its
 * place. When it enters the ring it interrupts, and discards input that was typed before it and has not been run, as a Unix terminal does. The ring
 * is long, so that Ctrl-C can enter it after a long paste while a command runs.
 */
#include "lab.h"

#define RING 65536u
#define CTRL_C 3
#define IER (SERIAL_PORT + 1)
#define MCR (SERIAL_PORT + 4)
#define RECEIVE 0x01
#define READY 0x0b /* DTR, RTS, OUT2: OUT2 lets the interrupt through */
#define WAIT 0x09  /* without RTS */

static volatile u8 ring[RING];
static volatile u32 ring_head, ring_tail; /* free running; the interrupt handler advances head, the reader tail */
static volatile u32 ctrl_c_count;
static volatile bool held; /* the line waits for room in the ring */

void console_init(void) {
  out8(SERIAL_PORT + 1, 0);
  out8(SERIAL_PORT + 3, 0x03);
  console_interrupt(); /* earlier keys: enabling the FIFOs would drop them */
  out8(SERIAL_PORT + 3, 0x80);
  out8(SERIAL_PORT + 0, 1); /* 115200 baud */
  out8(SERIAL_PORT + 1, 0);
  out8(SERIAL_PORT + 3, 0x03); /* 8n1 */
  if (!held) out8(SERIAL_PORT + 2, 0x01); /* FIFOs on, interrupt at one byte; a byte that waits in the chip would be dropped */
  out8(MCR, held ? WAIT : READY);
  irq_route(SERIAL_IRQ);
  if (held) return; /* console_key switches the interrupt on */
  out8(IER, RECEIVE);
  console_interrupt(); /* an earlier event would raise no edge */
}

void console_interrupt(void) {
  while ((in8(SERIAL_PORT + 2) & 1) == 0 || (in8(SERIAL_PORT + 5) & 1)) {
    while (in8(SERIAL_PORT + 5) & 1) {
      if (ring_head - ring_tail == RING) {
        held = true;
        out8(MCR, WAIT);
        out8(IER, 0);
        return;
      }
      u8 key = in8(SERIAL_PORT);
      ring[ring_head % RING] = key;
      ring_head++;
      if (key == CTRL_C) ctrl_c_count++;
    }
  }
}

int console_key(void) {
  if (ring_head == ring_tail) return -1;
  int key = ring[ring_tail % RING];
  ring_tail++;
  if (key == CTRL_C) __asm__ volatile("lock decl %0" : "+m"(ctrl_c_count));
  if (held && ring_head - ring_tail <= RING / 2) {
    held = false;
    out8(MCR, READY);
    out8(IER, RECEIVE); /* bytes waiting in the chip raise the interrupt again */
  }
  return key;
}

bool console_pending(void) { return ring_head != ring_tail; }

bool console_ctrl_c(void) {
  if (ctrl_c_count == 0) return false;
  while (console_key() != CTRL_C) {}
  return true;
}

void put(char c) {
  if (c == '\n') put('\r');
  while ((in8(SERIAL_PORT + 5) & 0x20) == 0) {}
  out8(SERIAL_PORT, (u8)c);
}

static void put_text(const char *text, u32 width, bool left) {
  size_t n = length(text);
  if (!left) for (size_t i = n; i < width; i++) put(' ');
  while (*text) put(*text++);
  if (left) for (size_t i = n; i < width; i++) put(' ');
}

static const char *number_text(u64 value, u32 base, u32 digits) {
  static char buffer[72];
  char *p = buffer + sizeof buffer - 1;
  *p = 0;
  do {
    *--p = "0123456789abcdef"[value % base];
    value /= base;
    if (digits) digits--;
  } while (value || digits);
  return p;
}

/* %s %c %u %lu %x %lx %%, a width, `-` for left, `.n` for the least digits. */
void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  for (; *format; format++) {
    if (*format != '%') {
      put(*format);
      continue;
    }
    bool left = false, wide = false;
    u32 width = 0, digits = 0;
    if (*++format == '-') left = true, format++;
    while (*format >= '0' && *format <= '9') width = width * 10 + (u32)(*format++ - '0');
    if (*format == '.') while (*++format >= '0' && *format <= '9') digits = digits * 10 + (u32)(*format - '0');
    if (*format == 'l') wide = true, format++;
    switch (*format) {
      case 's': put_text(va_arg(arguments, const char *), width, left); break;
      case 'c': put((char)va_arg(arguments, int)); break;
      case 'u': put_text(number_text(wide ? va_arg(arguments, u64) : va_arg(arguments, u32), 10, digits), width, left); break;
      case 'x': put_text(number_text(wide ? va_arg(arguments, u64) : va_arg(arguments, u32), 16, digits), width, left); break;
      default: put(*format);
    }
  }
  va_end(arguments);
}

const char *size_text(u64 bytes) {
  static char buffers[4][32];
  static u32 next;
  static const char units[][6] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  u32 unit = 0;
  while (unit < 4 && bytes && bytes % 1024 == 0) bytes /= 1024, unit++;
  char *out = buffers[next++ % 4], *p = out;
  for (const char *n = number_text(bytes, 10, 1); *n;) *p++ = *n++;
  *p++ = ' ';
  for (const char *n = units[unit]; *n;) *p++ = *n++;
  *p = 0;
  return out;
}
