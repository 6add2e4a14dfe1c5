/* Random programs of kvm-modes. Each instruction is emitted twice: where the nested guest exits, the plain version logs the registers. */
#include "modes.h"
#include <asm/ldt.h>
#include <asm/unistd.h>

/* Debian's cloud kernel has no 16-bit segments for processes: the plain version of real-mode code is 32-bit code with segments of the same bases. */
#define FLAT_CODE32 0x23
#define FLAT_CODE64 0x33
#define FLAT_DATA 0x2b

/* Code being emitted for a segment of `bits` bits. */
struct out { uint8_t *at; unsigned bits; };

uint32_t draw(struct lane *lane, uint32_t limit)
{
	lane->random += 0x9e3779b97f4a7c15u;
	uint64_t z = lane->random;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ z >> 31) >> 32) % limit;
}

static uint32_t draw32(struct lane *lane)
{
	return draw(lane, 0x10000) << 16 | draw(lane, 0x10000);
}

static void put(struct out *out, uint8_t byte)
{
	*out->at++ = byte;
}
static void put16(struct out *out, uint32_t value)
{
	put(out, value);
	put(out, value >> 8);
}
static void put32(struct out *out, uint32_t value)
{
	put16(out, value);
	put16(out, value >> 16);
}

static unsigned bits_of(enum mode mode)
{
	return mode == REAL ? 16 : mode == LONG ? 64 : 32;
}

/* A program under construction. */
struct maker { struct lane *lane; unsigned bits; struct out nested, plain; };

static void both(struct maker *m, uint8_t byte)
{
	put(&m->nested, byte);
	put(&m->plain, byte);
}
static void both32(struct maker *m, uint32_t value)
{
	put32(&m->nested, value);
	put32(&m->plain, value);
}

/* Operand sizes as their logarithms: 0 a byte, 3 eight bytes. */
static unsigned draw_size(struct maker *m)
{
	return draw(m->lane, m->bits == 64 ? 4 : 3);
}

/* Not the stack pointer, and not SI, which points to the data. Bytes without REX: AL to BH, all of them. */
static unsigned draw_register(struct maker *m, unsigned size)
{
	if (size == 0 && m->bits != 64)
		return draw(m->lane, 8);
	for (;;) {
		unsigned reg = draw(m->lane, m->bits == 64 ? 16 : 8);
		if (reg != 4 && reg != 6)
			return reg;
	}
}

static void size_prefix(struct out *out, unsigned size)
{
	if ((size == 1 && out->bits != 16) || (size == 2 && out->bits == 16))
		put(out, 0x66);
}

enum where { REGISTER, MEMORY, DEVICE };

/* An instruction with ModRM: `reg` and a register `rm`, or memory. `opcode`: 0x0f00 for two bytes. */
static void modrm_to(struct maker *m, struct out *out, unsigned size, unsigned opcode, unsigned reg, enum where where, unsigned rm)
{
	size_prefix(out, size);
	if (where == DEVICE && m->bits == 16)
		put(out, 0x26);
	if (m->bits == 64) {
		unsigned rex = (size == 3 ? 8 : 0) | (reg & 8 ? 4 : 0) | (where == REGISTER && rm & 8 ? 1 : 0);
		if (rex || size == 0)
			put(out, 0x40 | rex);
	}
	if (opcode >> 8)
		put(out, opcode >> 8);
	put(out, opcode);
	reg = (reg & 7) << 3;
	if (where == REGISTER)
		put(out, 0xc0 | reg | (rm & 7));
	else if (where == MEMORY) {
		put(out, 0x80 | reg | (out->bits == 16 ? 4 : 6));
		out->bits == 16 ? put16(out, rm) : put32(out, rm);
	} else if (out->bits == 16) {
		put(out, reg | 6);
		put16(out, rm);
	} else {
		put(out, reg | (m->bits == 64 ? 4 : 5));
		if (m->bits == 64)
			put(out, 0x25);
		put32(out, (m->bits == 16 ? 0 : m->lane->mmio) + rm);
	}
}

static void modrm(struct maker *m, unsigned size, unsigned opcode, unsigned reg, enum where where, unsigned rm)
{
	modrm_to(m, &m->nested, size, opcode, reg, where, rm);
	modrm_to(m, &m->plain, size, opcode, reg, where, rm);
}

/* An SSE2 instruction with the prefix 66, between registers. */
static void vector(struct maker *m, unsigned opcode, unsigned reg, unsigned rm)
{
	both(m, 0x66);
	modrm(m, m->bits == 16 ? 1 : 2, opcode, reg, REGISTER, rm);
}

static unsigned draw_operand(struct maker *m, enum where where, unsigned size)
{
	return where == REGISTER ? draw_register(m, size) : draw(m->lane, (where == MEMORY ? DATA_SIZE : DEVICE_SIZE) - 16);
}

static void immediate(struct maker *m, unsigned size)
{
	if (size == 0)
		both(m, draw(m->lane, 256));
	else if (size == 1) {
		both(m, draw(m->lane, 256));
		both(m, draw(m->lane, 256));
	} else
		both32(m, draw32(m->lane));
}

/* Instructions that KVM's emulator also supports, for device operands. */
static void simple(struct maker *m, enum where where)
{
	unsigned size = draw_size(m), wide = size > 0, reg = draw_register(m, size), rm = draw_operand(m, where, size);
	/* KVM's emulator logs once that it does not support a locked exchange with a device. */
	switch (draw(m->lane, where == DEVICE ? 7 : 8)) {
	case 0:
	case 1:
		modrm(m, size, draw(m->lane, 8) << 3 | draw(m->lane, 2) << 1 | wide, reg, where, rm);
		break;
	case 2:
		modrm(m, size, 0x80 | wide, draw(m->lane, 8), where, rm);
		immediate(m, size);
		break;
	case 3:
	case 4:
		modrm(m, size, 0x88 | draw(m->lane, 2) << 1 | wide, reg, where, rm);
		break;
	case 5:
		modrm(m, size, wide ? 0xff : 0xfe, draw(m->lane, 2), where, rm);
		break;
	case 6:
		modrm(m, size, 0xf6 | wide, 2 + draw(m->lane, 2), where, rm);
		break;
	default:
		modrm(m, size, 0x86 | wide, reg, where, rm);
	}
}

static void arithmetic(struct maker *m)
{
	struct lane *lane = m->lane;
	enum where where = draw(lane, 3) ? REGISTER : MEMORY;
	unsigned size = 1 + draw(lane, m->bits == 64 ? 3 : 2), reg = draw_register(m, size), rm = draw_operand(m, where, size);
	switch (draw(lane, 12)) {
	case 0:
		modrm(m, size, 0x0fb6 | draw(lane, 2) << 3, reg, MEMORY, draw_operand(m, MEMORY, 0));
		break;
	case 1:
		modrm(m, size, 0xd3, draw(lane, 6), where, rm);
		break;
	case 2:
		modrm(m, size, 0xc1, draw(lane, 6), where, rm);
		both(m, draw(lane, 256));
		break;
	case 3:
		modrm(m, size, 0x0faf, reg, where, rm);
		break;
	case 4:
		modrm(m, size, 0xf7, 4 + draw(lane, 2), where, rm);
		break;
	case 5:
		modrm(m, size, 0x0fa3 | draw(lane, 4) << 3, reg, REGISTER, draw_register(m, size));
		break;
	case 6:
		modrm(m, size, 0x0fbc | draw(lane, 2), reg, where, rm);
		break;
	case 7:
		modrm(m, size, 0x0f40 | draw(lane, 16), reg, where, rm);
		break;
	case 8:
		modrm(m, 0, 0x0f90 | draw(lane, 16), 0, REGISTER, draw_register(m, 0));
		break;
	case 9:
		modrm(m, size, 0x0fa5 | draw(lane, 2) << 3, reg, where, rm);
		break;
	case 10:
		/* Up through SSE registers and back. */
		vector(m, 0x0f6e, draw(lane, 4), draw_register(m, 2));
		break;
	default: {
		static const uint16_t opcodes[] = { 0x0ffe, 0x0fef, 0x0ff4, 0x0fd4, 0x0f62, 0x0ffa };
		vector(m, opcodes[draw(lane, 6)], draw(lane, 4), draw(lane, 4));
		vector(m, 0x0f7e, draw(lane, 4), draw_register(m, 2));
	}
	}
}

static uint32_t in_data_segment(struct maker *m, uint32_t at)
{
	return m->bits == 16 ? at - DATA : m->lane->base + at;
}

/* ModRM and address of a cell of the lane in plain code. */
static void cell(struct maker *m, unsigned reg, uint32_t at)
{
	struct out *out = &m->plain;
	put(out, (reg & 7) << 3 | (m->bits == 64 ? 4 : 5));
	if (m->bits == 64)
		put(out, 0x25);
	put32(out, in_data_segment(m, at));
}

/* Logs registers and flags without changing them. */
static void look(struct maker *m, uint32_t site)
{
	uint32_t at = LOG + site * sizeof(struct seen);
	struct out *out = &m->plain;
	for (unsigned reg = 0; reg < (m->bits == 64 ? 16 : 8); reg++) {
		if (m->bits == 64)
			put(out, 0x48 | (reg & 8 ? 4 : 0));
		put(out, 0x89);
		cell(m, reg, at + 8 * reg);
	}
	put(out, 0x9c);
	put(out, 0x8f);
	cell(m, 0, at + offsetof(struct seen, flags));
	put(out, 0xc6);
	cell(m, 0, at + offsetof(struct seen, reached));
	put(out, 1);
}

/* mov register, value: 32 bits, in long mode the upper half becomes 0. */
static void load32(struct out *out, unsigned reg, uint32_t value)
{
	if (out->bits == 16)
		put(out, 0x66);
	put(out, 0xb8 | reg);
	put32(out, value);
}

static void port(struct maker *m)
{
	struct lane *lane = m->lane;
	uint32_t number = lane->site_count++;
	struct site *site = &lane->sites[number];
	unsigned size = draw(lane, 3);
	*site = (struct site){ draw(lane, 2), 1 << size, draw32(lane) };
	look(m, number);
	size_prefix(&m->nested, size);
	put(&m->nested, (site->in ? 0xe4 : 0xe6) | (size > 0));
	put(&m->nested, SITE_PORT + number);
	if (!site->in)
		return;
	size_prefix(&m->plain, size);
	put(&m->plain, size ? 0xb8 : 0xb0);
	for (unsigned i = 0; i < site->size; i++)
		put(&m->plain, site->value >> (8 * i));
}

static void leaf(struct maker *m)
{
	load32(&m->nested, 0, OWN_LEAF);
	put(&m->nested, 0x0f);
	put(&m->nested, 0xa2);
	load32(&m->plain, 0, OWN_EAX);
	load32(&m->plain, 1, OWN_ECX);
	load32(&m->plain, 2, OWN_EDX);
	load32(&m->plain, 3, OWN_EBX);
}

/* A call that KVM does not know: -KVM_ENOSYS. */
static void hypercall(struct maker *m)
{
	load32(&m->nested, 0, 0x7777);
	put(&m->nested, 0x0f);
	put(&m->nested, 0x01);
	put(&m->nested, 0xd9);
	if (m->bits == 64) {
		put(&m->plain, 0x48);
		put(&m->plain, 0xc7);
		put(&m->plain, 0xc0);
		put32(&m->plain, -1000);
	} else
		load32(&m->plain, 0, -1000);
}

static void software_interrupt(struct maker *m)
{
	if (draw(m->lane, 2))
		put(&m->nested, 0xcc);
	else {
		put(&m->nested, 0xcd);
		put(&m->nested, INT_VECTOR + draw(m->lane, 16));
	}
	put(&m->plain, 0x9c);
	put(&m->plain, 0xff);
	cell(m, 0, COUNTERS + 4 * PLAIN_INTS);
	put(&m->plain, 0x9d);
}

static void debug_register(struct maker *m)
{
	unsigned from = draw_register(m, 2) & 7, to = draw_register(m, 2) & 7;
	if (from == 4 || from == 6 || to == 4 || to == 6)
		return;
	put(&m->nested, 0x0f);
	put(&m->nested, 0x23);
	put(&m->nested, 0xc0 | from);
	put(&m->nested, 0x0f);
	put(&m->nested, 0x21);
	put(&m->nested, 0xc0 | to);
	if (m->bits == 64)
		put(&m->plain, 0x48);
	put(&m->plain, 0x89);
	put(&m->plain, 0xc0 | from << 3 | to);
}

static void nested_only(struct maker *m, uint8_t first, uint8_t second)
{
	put(&m->nested, first);
	if (second)
		put(&m->nested, second);
}

static void leaving(struct maker *m)
{
	struct lane *lane = m->lane;
	switch (draw(lane, 16)) {
	case 0:
		leaf(m);
		break;
	case 1:
		hypercall(m);
		break;
	case 2:
		software_interrupt(m);
		break;
	case 3:
		debug_register(m);
		break;
	case 4:
		/* CLI, STI */
		nested_only(m, 0xfa | draw(lane, 2), 0);
		break;
	case 5:
		/* WBINVD, or STI and HLT if a timer wakes the guest */
		if (lane->ticks && !draw(lane, 4))
			nested_only(m, 0xfb, 0xf4);
		else
			nested_only(m, 0x0f, 0x09);
		break;
	case 6:
		both(m, 0xf3);
		both(m, 0x90);
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		simple(m, DEVICE);
		break;
	default:
		if (lane->site_count < END_SITE)
			port(m);
	}
}

static void item(struct maker *m, int depth)
{
	struct lane *lane = m->lane;
	switch (draw(lane, 8)) {
	case 0:
	case 1:
		simple(m, draw(lane, 2) ? REGISTER : MEMORY);
		break;
	case 2:
	case 3:
		arithmetic(m);
		break;
	case 4: {
		/* push and pop */
		unsigned from = draw_register(m, 3), to = draw_register(m, 3);
		if (m->bits == 16)
			put(&m->plain, 0x66);
		if (from & 8)
			both(m, 0x41);
		both(m, 0x50 | (from & 7));
		if (depth)
			item(m, depth - 1);
		if (m->bits == 16)
			put(&m->plain, 0x66);
		if (to & 8)
			both(m, 0x41);
		both(m, 0x58 | (to & 7));
		break;
	}
	case 5:
		if (depth) {
			/* A branch that may skip part of it. */
			unsigned wide = m->bits == 16 ? 2 : 4;
			both(m, 0x0f);
			both(m, 0x80 | draw(lane, 16));
			struct out nested = m->nested, plain = m->plain;
			m->nested.at += wide;
			m->plain.at += 4;
			for (unsigned n = 1 + draw(lane, 3); n; n--)
				item(m, depth - 1);
			uint32_t over_nested = m->nested.at - nested.at - wide, over_plain = m->plain.at - plain.at - 4;
			wide == 2 ? put16(&nested, over_nested) : put32(&nested, over_nested);
			put32(&plain, over_plain);
			break;
		}
		/* fall through */
	default:
		leaving(m);
	}
}

/* 64-bit code of this process that loads the program's registers and enters its mode. */
static void enter_plainly(struct maker *m)
{
	struct lane *lane = m->lane;
	struct out *out = &m->plain;
	unsigned selectors[3] = { FLAT_DATA, FLAT_DATA, FLAT_DATA };
	if (m->bits == 16)
		for (unsigned i = 0; i < 3; i++)
			selectors[i] = (3 * lane->index + i) << 3 | 7;
	/* push 2; popfq */
	put(out, 0x6a), put(out, 0x02), put(out, 0x9d);
	if (m->bits != 64) {
		static const uint8_t load[] = { 0xd8, 0xd0, 0xc0 };
		for (unsigned i = 0; i < 3; i++) {
			put(out, 0xb8), put32(out, selectors[i]);
			put(out, 0x8e), put(out, load[i]);
		}
	}
	for (unsigned reg = 0; reg < 16; reg++) {
		put(out, reg & 8 ? 0x49 : 0x48);
		put(out, 0xb8 | (reg & 7));
		put32(out, lane->registers[reg]);
		put32(out, lane->registers[reg] >> 32);
	}
	if (m->bits == 64)
		return;
	/* A far jump through a pointer after the saved RSP. */
	struct out pointer = { (uint8_t *)(uintptr_t)(lane->base + SAVE + 16), 64 };
	put(out, 0xff), put(out, 0x2c), put(out, 0x25), put32(out, lane->base + SAVE + 16);
	put32(&pointer, (uint32_t)(uintptr_t)out->at);
	put16(&pointer, FLAT_CODE32);
}

void plain_back(void);

static void leave_plainly(struct maker *m)
{
	struct out *out = &m->plain;
	if (m->bits != 64) {
		put(out, 0xea);
		put32(out, (uint32_t)(uintptr_t)out->at + 6);
		put16(out, FLAT_CODE64);
	}
	/* mov rsp, [SAVE]; mov eax, plain_back; jmp rax */
	put(out, 0x48), put(out, 0x8b), put(out, 0x24), put(out, 0x25), put32(out, m->lane->base + SAVE);
	put(out, 0xb8), put32(out, (uint32_t)(uintptr_t)plain_back);
	put(out, 0xff), put(out, 0xe0);
}

static void fill(struct lane *lane, uint8_t *at, uint32_t size)
{
	for (uint32_t i = 0; i < size; i += 4) {
		uint32_t value = draw32(lane);
		memcpy(at + i, &value, 4);
	}
}

void make_program(struct lane *lane)
{
	uint8_t *at = (uint8_t *)(uintptr_t)lane->base;
	unsigned bits = bits_of(lane->mode);
	struct maker m = { lane, bits, { at, bits }, { at + PLAIN_CODE, bits == 64 ? 64 : 32 } };
	for (unsigned reg = 0; reg < 16; reg++)
		lane->registers[reg] = m.bits == 64 ? (uint64_t)draw32(lane) << 32 | draw32(lane) : reg < 8 ? draw32(lane) : 0;
	lane->registers[4] = m.bits == 16 ? STACK_TOP : lane->base + STACK_AT + STACK_TOP;
	lane->registers[6] = m.bits == 16 ? 0 : lane->base + DATA;
	fill(lane, lane->data, DATA_SIZE);
	fill(lane, lane->device, DEVICE_SIZE);
	lane->site_count = 0;
	enter_plainly(&m);
	for (unsigned i = 0; i < 4; i++)
		vector(&m, 0x0f6e, i, 2);
	for (unsigned n = 40 + draw(lane, 60); n; n--)
		item(&m, 2);
	look(&m, END_SITE);
	put(&m.nested, 0xe6);
	put(&m.nested, END_PORT);
	leave_plainly(&m);
}

/* Calls the program at `entry`, with RSP saved at `save`. It returns through plain_back. */
void plain_go(uintptr_t entry, uintptr_t save);
__asm__(".globl plain_go\nplain_go:\n\t"
	"push %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
	"mov %rsp, (%rsi)\n\tjmp *%rdi\n"
	".globl plain_back\nplain_back:\n\t"
	"mov $0x2b, %eax\n\tmov %eax, %ss\n\txor %eax, %eax\n\tmov %eax, %ds\n\tmov %eax, %es\n\tcld\n\t"
	"pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n\tret\n");

void run_plainly(struct lane *lane)
{
	plain_go(lane->base + PLAIN_CODE, lane->base + SAVE);
}

long make_segments(struct lane *lane)
{
	uint32_t bases[3] = { lane->base + DATA, lane->base + STACK_AT, lane->mmio };
	for (unsigned i = 0; i < 3; i++) {
		struct user_desc segment = { .entry_number = 3 * lane->index + i, .base_addr = bases[i], .limit = 0xffff, .seg_32bit = 1,
			.contents = MODIFY_LDT_CONTENTS_DATA, .useable = 1 };
		long result = sys3(__NR_modify_ldt, 0x11, &segment, sizeof segment);
		if ((int)result < 0)
			return (int)result;
	}
	return 0;
}
