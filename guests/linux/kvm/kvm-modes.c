/*
 * kvm-modes SEED COUNT [VCPUS]: runs COUNT random programs, each in one of six modes, first in this process and then in a nested guest, where ports,
 * devices, CPUID, hypercalls and interrupts cause exits. At every port access, and at the end, all registers, the flags and memory must be the same.
 * With 2 VCPUS, two vCPUs of one virtual machine run COUNT programs each at the same time.
 */
#include "modes.h"
#include <asm/unistd.h>

#define LANES 2
#define PROGRAMS_PER_VM 100
#define FLAGS 0xcd5u
#define CPUID_ENTRIES 128
#define CR4_OSFXSR 0x600u

static const char *const mode_names[] = { "real", "protected", "32-bit paging", "PAE", "long", "compatibility" };

struct vcpu {
	struct lane lane;
	int fd, kernel_irqchip;
	struct kvm_run *run;
	uint32_t first, programs;
	uint64_t port_exits, device_exits, window_exits, runs[MODES];
	uint64_t sent[2], counted[2], timer_ticks;
	/* What went wrong, and where. */
	const char *wrong;
	uint32_t program, site, which;
	uint64_t nested, plain;
	volatile int done;
};

static struct vcpu vcpus[LANES];
static size_t run_size;
/* The current call, for error messages. */
static const char *step = "/dev/kvm";
static struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entries[CPUID_ENTRIES]; } cpuid;

static int fail(struct vcpu *v, const char *wrong, uint64_t nested, uint64_t plain)
{
	v->wrong = wrong;
	v->nested = nested;
	v->plain = plain;
	return -1;
}

static uint8_t *memory(struct vcpu *v, uint32_t offset)
{
	return (uint8_t *)(uintptr_t)(v->lane.base + offset);
}
static uint32_t *counters(struct vcpu *v)
{
	return (uint32_t *)memory(v, COUNTERS);
}

/* Handlers that count: one for each kind of event and width of code, 32 bytes each, kinds IRQS, NMIS and INTS. */
static uint32_t handler_of(unsigned bits, unsigned kind)
{
	return COUNTERS + HANDLERS + ((bits == 64 ? 8 : bits == 32 ? 4 : 0) + kind) * 32;
}

/* For exceptions, which no program causes: sends the vector to a port. */
static uint32_t lost_handler_of(unsigned vector)
{
	return COUNTERS + 0x400 + 8 * vector;
}

static unsigned kind_of(unsigned vector)
{
	if (vector == 2)
		return NMIS;
	if (vector == 3 || (vector >= INT_VECTOR && vector < INT_VECTOR + 16))
		return INTS;
	return vector == IRQ_VECTOR || (vector >= TIMER_VECTOR && vector < TIMER_VECTOR + 8) ? IRQS : 3;
}

static void make_handlers(struct vcpu *v)
{
	for (unsigned bits = 16; bits <= 64; bits *= 2)
		for (unsigned kind = 0; kind < 3; kind++) {
			uint8_t *at = memory(v, handler_of(bits, kind));
			uint32_t cell = v->lane.base + COUNTERS + 4 * kind;
			if (bits == 16) {
				/* inc dword cs:[cell]; iret */
				const uint8_t code[] = { 0x66, 0x2e, 0xff, 0x06, 4 * kind, 0, 0xcf };
				memcpy(at, code, sizeof code);
			} else if (bits == 32) {
				const uint8_t code[] = { 0xff, 0x05, cell, cell >> 8, cell >> 16, 0, 0xcf };
				memcpy(at, code, sizeof code);
			} else {
				const uint8_t code[] = { 0xff, 0x04, 0x25, cell, cell >> 8, cell >> 16, 0, 0x48, 0xcf };
				memcpy(at, code, sizeof code);
			}
		}
	for (unsigned vector = 0; vector < 256; vector++) {
		const uint8_t code[] = { 0xb0, vector, 0xe6, LOST_PORT, 0xf4 };
		memcpy(memory(v, lost_handler_of(vector)), code, sizeof code);
	}
}

static void make_tables(struct vcpu *v)
{
	uint64_t base = v->lane.base;
	uint64_t *gdt = (uint64_t *)memory(v, GDT);
	gdt[1] = 0x00cf9b000000ffffu;
	gdt[2] = 0x00cf93000000ffffu;
	gdt[3] = 0x00af9b000000ffffu;
	uint64_t *pml4 = (uint64_t *)memory(v, TABLES), *pdpt = pml4 + 512, *pd = pdpt + 512, *pt = pd + 512, *pae = pt + 512;
	uint32_t *pd32 = (uint32_t *)(pae + 512), *pt32 = pd32 + 1024;
	pml4[0] = (base + TABLES + 0x1000) | 7;
	pdpt[0] = (base + TABLES + 0x2000) | 7;
	pae[0] = (base + TABLES + 0x2000) | 1;
	for (unsigned i = 0; i < 512; i++)
		pt[i] = (uint64_t)i * PAGE | 7;
	for (unsigned i = 0; i < 1024; i++)
		pt32[i] = i * PAGE | 7;
	/* In large pages or in small ones. */
	pd[0] = draw(&v->lane, 2) ? 0x87 : (base + TABLES + 0x3000) | 7;
	pd32[0] = draw(&v->lane, 2) ? 0x87 : (base + TABLES + 0x6000) | 7;
}

static void make_idt(struct vcpu *v)
{
	uint8_t *idt = memory(v, IDT);
	enum mode mode = v->lane.mode;
	for (unsigned vector = 0; vector < 256; vector++) {
		unsigned bits = mode == REAL ? 16 : mode >= LONG ? 64 : 32;
		unsigned kind = kind_of(vector);
		uint32_t handler = kind == 3 ? lost_handler_of(vector) : handler_of(bits, kind), address = v->lane.base + handler;
		if (mode == REAL) {
			uint32_t pointer = (v->lane.base + COUNTERS) >> 4 << 16 | (handler - COUNTERS);
			memcpy(idt + 4 * vector, &pointer, 4);
			continue;
		}
		uint64_t gate = (address & 0xffff) | (bits == 64 ? 0x18 : 8) << 16 | (uint64_t)0x8e00 << 32 | (uint64_t)(address >> 16) << 48;
		memcpy(idt + (bits == 64 ? 16 : 8) * vector, &gate, 8);
		if (bits == 64)
			memset(idt + 16 * vector + 8, 0, 8);
	}
}

static struct kvm_segment segment(uint32_t base, uint16_t selector, uint8_t type, int wide, int is64)
{
	return (struct kvm_segment){ .base = base, .selector = selector, .limit = wide ? 0xffffffff : 0xffff, .type = type, .present = 1, .s = 1,
		.db = wide && !is64, .l = is64, .g = wide };
}

static long set_state(struct vcpu *v)
{
	struct lane *lane = &v->lane;
	struct kvm_sregs s;
	long result = io(v->fd, KVM_GET_SREGS, (unsigned long)&s);
	if (result < 0)
		return result;
	enum mode mode = lane->mode;
	if (mode == REAL) {
		s.cs = segment(lane->base, lane->base >> 4, 0xb, 0, 0);
		s.ds = segment(lane->base + DATA, (lane->base + DATA) >> 4, 3, 0, 0);
		s.ss = segment(lane->base + STACK_AT, (lane->base + STACK_AT) >> 4, 3, 0, 0);
		s.es = segment(lane->mmio, lane->mmio >> 4, 3, 0, 0);
	} else {
		s.cs = segment(0, mode == LONG ? 0x18 : 8, 0xb, 1, mode == LONG);
		s.ds = s.es = s.ss = segment(0, 0x10, 3, 1, 0);
	}
	s.fs = s.gs = s.ds;
	s.gdt.base = lane->base + GDT;
	s.gdt.limit = 0x1f;
	s.idt.base = lane->base + IDT;
	s.idt.limit = mode == REAL ? 0x3ff : 0xfff;
	s.cr0 = 0x10 | (mode != REAL) | (mode >= PAGED ? 0x80000000u : 0);
	s.cr4 = CR4_OSFXSR | (mode == PAGED ? 0x10 : 0) | (mode >= PAE ? 0x20 : 0);
	s.cr3 = lane->base + TABLES + (mode == PAGED ? 0x5000 : mode == PAE ? 0x4000 : 0);
	s.efer = mode >= LONG ? 0x500 : 0;
	result = io(v->fd, KVM_SET_SREGS, (unsigned long)&s);
	if (result < 0)
		return result;
	uint64_t *g = lane->registers;
	struct kvm_regs r = { .rax = g[0], .rcx = g[1], .rdx = g[2], .rbx = g[3], .rsp = g[4], .rbp = g[5], .rsi = g[6], .rdi = g[7], .r8 = g[8],
		.r9 = g[9], .r10 = g[10], .r11 = g[11], .r12 = g[12], .r13 = g[13], .r14 = g[14], .r15 = g[15],
		.rip = mode == REAL ? 0 : lane->base, .rflags = draw(lane, 2) ? 0x202 : 2 };
	return io(v->fd, KVM_SET_REGS, (unsigned long)&r);
}

/* Compares the nested guest's registers with those of the plain run at this site. */
static int same_state(struct vcpu *v, uint32_t site)
{
	struct seen *seen = seen_at(&v->lane, site);
	struct kvm_regs r;
	v->site = site;
	if (io(v->fd, KVM_GET_REGS, (unsigned long)&r) < 0)
		return fail(v, "KVM_GET_REGS", 0, 0);
	const uint64_t nested[16] = { r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15 };
	uint64_t mask = v->lane.mode == LONG ? ~(uint64_t)0 : 0xffffffff;
	for (unsigned i = 0; i < (v->lane.mode == LONG ? 16 : 8); i++)
		if ((nested[i] ^ seen->registers[i]) & mask) {
			v->which = i;
			return fail(v, "register", nested[i] & mask, seen->registers[i] & mask);
		}
	if ((r.rflags ^ seen->flags) & FLAGS)
		return fail(v, "flags", r.rflags & FLAGS, seen->flags & FLAGS);
	return 0;
}

/* Events between two instructions: an interrupt if the guest accepts one, or an NMI. */
static int disturb(struct vcpu *v)
{
	struct lane *lane = &v->lane;
	switch (draw(lane, 6)) {
	case 0:
	case 1:
		if (v->kernel_irqchip)
			return 0;
		if (!v->run->ready_for_interrupt_injection || !v->run->if_flag) {
			v->run->request_interrupt_window = draw(lane, 2);
			return 0;
		}
		struct kvm_interrupt interrupt = { IRQ_VECTOR };
		if (io(v->fd, KVM_INTERRUPT, (unsigned long)&interrupt) < 0)
			return fail(v, "KVM_INTERRUPT", 0, 0);
		v->sent[IRQS]++;
		return 0;
	case 2:
		if (io(v->fd, KVM_NMI, 0) < 0)
			return fail(v, "KVM_NMI", 0, 0);
		v->sent[NMIS]++;
	}
	return 0;
}

/* Reports an exception: the top word of its stack frame, and the bytes at that address if it is in the lane's code. */
static int lost(struct vcpu *v)
{
	struct kvm_regs r;
	if (io(v->fd, KVM_GET_REGS, (unsigned long)&r) < 0)
		return fail(v, "KVM_GET_REGS", 0, 0);
	uint8_t *top = (uint8_t *)(uintptr_t)(v->lane.mode == REAL ? v->lane.base + STACK_AT + (r.rsp & 0xffff) : r.rsp);
	uint64_t address = 0, code = 0;
	v->which = r.rax & 255;
	unsigned size = v->lane.mode == REAL ? 2 : v->lane.mode >= LONG ? 8 : 4;
	memcpy(&address, top, size);
	memcpy(&code, memory(v, address & (PLAIN_CODE - 1)), 8);
	return fail(v, "an exception (address as nested, its code as plainly)", address, code);
}

static int port_exit(struct vcpu *v, int *next)
{
	struct lane *lane = &v->lane;
	struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	int number = run->io.port - SITE_PORT;
	v->port_exits++;
	/* Sites that a branch skipped occur in neither run. */
	while (*next < (int)lane->site_count && !seen_at(lane, *next)->reached)
		++*next;
	v->site = *next;
	if (run->io.port == LOST_PORT)
		return lost(v);
	if (number != *next || run->io.count != 1 || run->io.size != lane->sites[number].size)
		return fail(v, "port", run->io.port, SITE_PORT + *next);
	++*next;
	if (same_state(v, number) < 0)
		return -1;
	uint64_t mask = ((uint64_t)1 << 8 * run->io.size) - 1, out = 0;
	if (lane->sites[number].in)
		memcpy(data, &lane->sites[number].value, run->io.size);
	else {
		memcpy(&out, data, run->io.size);
		if (out != (seen_at(lane, number)->registers[0] & mask))
			return fail(v, "what it sent to a port", out, seen_at(lane, number)->registers[0] & mask);
	}
	return disturb(v);
}

static int device_exit(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	uint64_t offset = run->mmio.phys_addr - v->lane.mmio;
	v->device_exits++;
	if (offset >= PAGE || offset + run->mmio.len > PAGE)
		return fail(v, "a hole at", run->mmio.phys_addr, 0);
	uint8_t *at = (uint8_t *)(uintptr_t)run->mmio.phys_addr;
	if (run->mmio.is_write)
		memcpy(at, run->mmio.data, run->mmio.len);
	else
		memcpy(run->mmio.data, at, run->mmio.len);
	return 0;
}

static int run_nested(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	int next = 0;
	run->request_interrupt_window = 0;
	for (;;) {
		long result = io(v->fd, KVM_RUN, 0);
		if (result == -4)
			continue;
		if (result < 0)
			return fail(v, "KVM_RUN", -result, 0);
		if (run->exit_reason == KVM_EXIT_IO && run->io.port == END_PORT) {
			v->port_exits++;
			if (same_state(v, END_SITE) < 0)
				return -1;
			/* Complete the instruction before the next program begins. */
			run->immediate_exit = 1;
			io(v->fd, KVM_RUN, 0);
			run->immediate_exit = 0;
			return 0;
		}
		if (run->exit_reason == KVM_EXIT_IO)
			result = port_exit(v, &next);
		else if (run->exit_reason == KVM_EXIT_MMIO)
			result = device_exit(v);
		else if (run->exit_reason == KVM_EXIT_IRQ_WINDOW_OPEN) {
			v->window_exits++;
			run->request_interrupt_window = 0;
			result = disturb(v);
		} else
			return fail(v, "exit reason", run->exit_reason, 0);
		if (result < 0)
			return result;
	}
}

static int equal(const uint8_t *a, const uint8_t *b, uint32_t size, uint32_t *where)
{
	for (*where = 0; *where < size; ++*where)
		if (a[*where] != b[*where])
			return 0;
	return 1;
}

static int run_program(struct vcpu *v)
{
	static uint8_t plain_data[LANES][DATA_SIZE], plain_device[LANES][DEVICE_SIZE];
	struct lane *lane = &v->lane;
	uint8_t *data = memory(v, DATA), *device = (uint8_t *)(uintptr_t)lane->mmio;
	lane->mode = draw(lane, MODES);
	v->runs[lane->mode]++;
	v->site = 0;
	make_program(lane);
	make_tables(v);
	make_idt(v);
	memset(memory(v, LOG), 0, SITES * sizeof(struct seen));
	memcpy(data, lane->data, DATA_SIZE);
	memcpy(device, lane->device, DEVICE_SIZE);
	uint32_t *counter = counters(v);
	memset(counter, 0, 4 * (PLAIN_INTS + 1));
	run_plainly(lane);
	memcpy(plain_data[lane->index], data, DATA_SIZE);
	memcpy(plain_device[lane->index], device, DEVICE_SIZE);
	memcpy(data, lane->data, DATA_SIZE);
	memcpy(device, lane->device, DEVICE_SIZE);
	v->sent[IRQS] = v->sent[NMIS] = 0;
	long result = set_state(v);
	if (result < 0)
		return fail(v, "KVM_SET_SREGS", -result, 0);
	if (run_nested(v) < 0)
		return -1;
	v->site = END_SITE;
	if (!equal(data, plain_data[lane->index], DATA_SIZE, &v->which))
		return fail(v, "data", data[v->which], plain_data[lane->index][v->which]);
	if (!equal(device, plain_device[lane->index], DEVICE_SIZE, &v->which))
		return fail(v, "device", device[v->which], plain_device[lane->index][v->which]);
	if (counter[INTS] != counter[PLAIN_INTS])
		return fail(v, "software interrupts", counter[INTS], counter[PLAIN_INTS]);
	if (counter[NMIS] != v->sent[NMIS])
		return fail(v, "NMIs", counter[NMIS], v->sent[NMIS]);
	if (v->kernel_irqchip)
		v->timer_ticks += counter[IRQS];
	else if (counter[IRQS] != v->sent[IRQS])
		return fail(v, "interrupts", counter[IRQS], v->sent[IRQS]);
	else
		v->counted[IRQS] += counter[IRQS];
	v->counted[NMIS] += counter[NMIS];
	return 0;
}

static void run_lane(void *argument)
{
	struct vcpu *v = argument;
	for (uint32_t i = 0; i < v->programs && !v->wrong; i++) {
		v->program = v->first + i;
		run_program(v);
	}
	v->done = 1;
	wake(&v->done);
}

/* The PIT ticks every third of a millisecond, through a PIC that needs no EOI. */
static long start_timer(int vm)
{
	struct kvm_pit_config config = { 0 };
	struct kvm_irqchip pic = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
	struct kvm_pit_state2 pit = { 0 };
	long result = io(vm, KVM_CREATE_IRQCHIP, 0);
	if (result < 0 || (result = io(vm, KVM_CREATE_PIT2, (unsigned long)&config)) < 0 ||
	    (result = io(vm, KVM_GET_IRQCHIP, (unsigned long)&pic)) < 0)
		return result;
	pic.chip.pic.irq_base = TIMER_VECTOR;
	pic.chip.pic.imr = 0xfe;
	pic.chip.pic.auto_eoi = 1;
	pic.chip.pic.init4 = 1;
	if ((result = io(vm, KVM_SET_IRQCHIP, (unsigned long)&pic)) < 0)
		return result;
	for (unsigned i = 0; i < 3; i++)
		pit.channels[i] = (struct kvm_pit_channel_state){ .count = 400, .mode = 2, .gate = 1, .rw_mode = 3 };
	return io(vm, KVM_SET_PIT2, (unsigned long)&pit);
}

static long add_vcpu_of(int vm, struct vcpu *v)
{
	struct kvm_mp_state running = { KVM_MP_STATE_RUNNABLE };
	step = "vCPU, its CPUID and state";
	v->fd = io(vm, KVM_CREATE_VCPU, v->lane.index);
	if (v->fd < 0)
		return v->fd;
	long result = io(v->fd, KVM_SET_CPUID2, (unsigned long)&cpuid);
	if (result < 0 || !v->kernel_irqchip || !v->lane.index)
		goto mapped;
	result = io(v->fd, KVM_SET_MP_STATE, (unsigned long)&running);
mapped:
	if (result >= 0)
		v->run = map_fd(v->fd, run_size);
	return result;
}

static long run_in_vm(int kvm, unsigned lanes, uint32_t first, uint32_t programs, int kernel_irqchip)
{
	step = "KVM_CREATE_VM";
	int vm = io(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return vm;
	step = "irqchip, PIT and memslot";
	long result = kernel_irqchip ? start_timer(vm) : 0;
	if (result >= 0)
		result = set_region(vm, 0, 0, LANES_AT, lanes * LANE_SIZE, LANES_AT);
	for (unsigned i = 0; i < lanes && result >= 0; i++) {
		vcpus[i].kernel_irqchip = kernel_irqchip;
		/* The PIC's interrupts go to the first vCPU. */
		vcpus[i].lane.ticks = kernel_irqchip && i == 0;
		vcpus[i].first = first;
		vcpus[i].programs = programs;
		vcpus[i].done = 0;
		result = add_vcpu_of(vm, &vcpus[i]);
	}
	if (result >= 0) {
		for (unsigned i = 1; i < lanes; i++)
			start_thread(run_lane, &vcpus[i]);
		run_lane(&vcpus[0]);
		for (unsigned i = 1; i < lanes; i++)
			wait_while(&vcpus[i].done, 0);
	}
	for (unsigned i = 0; i < lanes && vcpus[i].run; i++) {
		unmap(vcpus[i].run, run_size);
		close_fd(vcpus[i].fd);
		vcpus[i].run = 0;
	}
	close_fd(vm);
	return result;
}

static void named(const char *name, uint64_t value)
{
	text(name);
	hex(value);
}

static int report_wrong(struct vcpu *v)
{
	if (!v->wrong)
		return 0;
	text("wrong: vCPU ");
	dec(v->lane.index);
	text(", program ");
	dec(v->program);
	text(", mode ");
	text(mode_names[v->lane.mode]);
	named(v->kernel_irqchip ? ", kernel irqchip, site " : ", site ", v->site);
	text(": ");
	text(v->wrong);
	named(" ", v->which);
	named(": nested 0x", v->nested);
	named(", plainly 0x", v->plain);
	character('\n');
	return 1;
}

static void total(uint64_t value, const char *what)
{
	dec(value);
	text(what);
}

static void report(unsigned lanes, uint64_t count)
{
	uint64_t ports = 0, devices = 0, windows = 0, irqs = 0, nmis = 0, ticks = 0;
	total(count * lanes, " programs:");
	for (unsigned mode = 0; mode < MODES; mode++) {
		uint64_t runs = 0;
		for (unsigned i = 0; i < lanes; i++)
			runs += vcpus[i].runs[mode];
		text(mode ? ", " : " ");
		text(mode_names[mode]);
		character(' ');
		dec(runs);
	}
	for (unsigned i = 0; i < lanes; i++) {
		ports += vcpus[i].port_exits;
		devices += vcpus[i].device_exits;
		windows += vcpus[i].window_exits;
		irqs += vcpus[i].counted[IRQS];
		nmis += vcpus[i].counted[NMIS];
		ticks += vcpus[i].timer_ticks;
	}
	text("\nexits: ");
	total(ports, " ports, ");
	total(devices, " MMIO, ");
	total(windows, " windows; ");
	total(irqs, " interrupts, ");
	total(nmis, " NMIs, ");
	total(ticks, " timer ticks\nno register differs\n");
}

static long prepare(int kvm, unsigned lanes, uint64_t seed)
{
	step = "KVM_GET_SUPPORTED_CPUID";
	cpuid.head.nent = CPUID_ENTRIES - 1;
	long result = io(kvm, KVM_GET_SUPPORTED_CPUID, (unsigned long)&cpuid);
	if (result < 0)
		return result;
	cpuid.entries[cpuid.head.nent++] =
		(struct kvm_cpuid_entry2){ .function = OWN_LEAF, .eax = OWN_EAX, .ebx = OWN_EBX, .ecx = OWN_ECX, .edx = OWN_EDX };
	run_size = io(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	map(LANES_AT, LANES * LANE_SIZE);
	/* Read, write and execute. */
	sys3(__NR_mprotect, LANES_AT, LANES * LANE_SIZE, 7);
	map(MMIO_AT, LANES * PAGE);
	step = "modify_ldt";
	for (unsigned i = 0; i < lanes; i++) {
		vcpus[i].lane.index = i;
		vcpus[i].lane.base = LANES_AT + i * LANE_SIZE;
		vcpus[i].lane.mmio = MMIO_AT + i * PAGE;
		vcpus[i].lane.random = seed * 2 + i;
		make_handlers(&vcpus[i]);
		if ((result = make_segments(&vcpus[i].lane)) < 0)
			return result;
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t seed, count, lanes = 1;
	if (argc < 3 || argc > 4 || !number(argv[1], &seed) || !number(argv[2], &count) || (argc == 4 && !number(argv[3], &lanes)) ||
	    lanes < 1 || lanes > LANES) {
		text("usage: kvm-modes SEED COUNT [VCPUS]: random programs, nested and plainly, on 1 or 2 vCPUs\n");
		return 1;
	}
	int kvm = open_rw("/dev/kvm");
	long result = kvm < 0 ? kvm : prepare(kvm, lanes, seed);
	for (uint64_t i = 0; i < count && result >= 0; i += PROGRAMS_PER_VM) {
		result = run_in_vm(kvm, lanes, i, count - i < PROGRAMS_PER_VM ? count - i : PROGRAMS_PER_VM, i / PROGRAMS_PER_VM % 2);
		for (unsigned lane = 0; lane < lanes; lane++)
			if (report_wrong(&vcpus[lane]))
				return 1;
	}
	if (result < 0) {
		text("kvm-modes: ");
		text(step);
		text(": ");
		error_name(result);
		character('\n');
		return 1;
	}
	report(lanes, count);
	return 0;
}
