/* kvm-memslots: a minimal VMM with a prompt. Its nested guest reads and writes bytes below 1 MiB in real mode. */
#include "vm.h"

#define SLOTS 16
#define POOL_PAGES 4096
#define REGION_LIMIT 0x100000u

static struct slot { uint64_t gpa, size, hva; uint32_t flags; } slots[SLOTS];
static uint64_t pool_next = POOL_HVA;
static struct vm vm;
/* duration (ns) and number of the last command's calls */
static uint64_t spent;
static unsigned calls;

static long timed(uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, uint64_t hva)
{
	uint64_t start = now();
	long result = set_region(vm.vm, slot, flags, gpa, size, hva);
	spent += now() - start;
	calls++;
	return result;
}

static void report(long result)
{
	if (result < 0) {
		text("refused: ");
		error_name(result);
		character('\n');
		return;
	}
	text("ok, ");
	dec(calls);
	text(calls == 1 ? " ioctl, " : " ioctls, ");
	dec(spent / 1000 / (calls ? calls : 1));
	text(" us each\n");
}

static void put_size(uint64_t size)
{
	if (size % 0x100000 == 0 && size)
		dec(size >> 20), text("M");
	else
		dec(size >> 10), text("K");
}

static void list(void)
{
	text("slot  gpa                 size   hva          flags\n");
	for (int i = 0; i < SLOTS; i++) {
		if (!slots[i].size)
			continue;
		dec(i);
		text(i < 10 ? "     0x" : "    0x");
		hex(slots[i].gpa);
		text("-0x");
		hex(slots[i].gpa + slots[i].size - 1);
		text("  ");
		put_size(slots[i].size);
		text("  0x");
		hex(slots[i].hva);
		text(slots[i].flags & 1 ? "  log" : "");
		text(slots[i].flags & 2 ? "  readonly" : "");
		character('\n');
	}
}

/* Arguments of a command: numbers first, then -l and -r. */
struct arguments { uint64_t value[4]; int count; uint32_t flags; int wrong; };

static struct arguments arguments(char *line)
{
	struct arguments a = { .count = 0 };
	for (char *at; (at = word(&line));) {
		if (same(at, "-l"))
			a.flags |= KVM_MEM_LOG_DIRTY_PAGES;
		else if (same(at, "-r"))
			a.flags |= KVM_MEM_READONLY;
		else if (a.count == 4 || !number(at, &a.value[a.count++])) {
			text("not a number: ");
			text(at);
			character('\n');
			a.wrong = 1;
			break;
		}
	}
	return a;
}

static struct slot *live(uint64_t id)
{
	if (id < SLOTS && slots[id].size)
		return &slots[id];
	text("there is no slot ");
	dec(id);
	text(" ('list' shows them)\n");
	return 0;
}

static void create(struct arguments a)
{
	uint64_t id = a.value[0], gpa = a.value[1], size = a.value[2];
	if (id >= SLOTS) {
		text("slots are 0 to 15\n");
		return;
	}
	uint64_t hva = slots[id].size ? slots[id].hva : pool_next;
	if (!slots[id].size && pool_next + size > POOL_HVA + POOL_PAGES * PAGE) {
		text("the backing memory of this program is used up: 16M in all\n");
		return;
	}
	long result = timed(id, a.flags, gpa, size, hva);
	if (result == 0) {
		if (!slots[id].size)
			pool_next += (size + PAGE - 1) / PAGE * PAGE;
		slots[id] = (struct slot){ gpa, size, hva, a.flags };
		/* The first bytes identify the slot. */
		*(volatile uint8_t *)(uintptr_t)hva = 0x10 + id;
	}
	report(result);
}

static void change(uint64_t id, uint64_t gpa, uint32_t flags)
{
	struct slot *slot = live(id);
	if (!slot)
		return;
	long result = timed(id, flags, gpa, slot->size, slot->hva);
	if (result == 0) {
		slot->gpa = gpa;
		slot->flags = flags;
	}
	report(result);
}

static void delete(uint64_t id)
{
	struct slot *slot = live(id);
	if (!slot)
		return;
	long result = timed(id, 0, 0, 0, 0);
	if (result == 0)
		slot->size = 0;
	report(result);
}

static void access(uint64_t gpa, int write)
{
	static const char *const names[] = { "done", "a hole: KVM_EXIT_MMIO", "EFAULT: no memory behind the slot", "the nested guest failed" };
	if (gpa >= REGION_LIMIT) {
		text("the nested guest runs in real mode: it reaches addresses below 1M\n");
		return;
	}
	enum outcome outcome = touch(&vm, gpa, write);
	if (outcome == DONE && !write) {
		struct kvm_regs registers;
		io(vm.vcpu, KVM_GET_REGS, (unsigned long)&registers);
		text("0x");
		hex(registers.rax & 255);
		character('\n');
		return;
	}
	text(names[outcome]);
	character('\n');
}

static void dirty(uint64_t id)
{
	static uint64_t bitmap[POOL_PAGES / 64];
	struct slot *slot = live(id);
	if (!slot)
		return;
	struct kvm_dirty_log log = { .slot = id, .dirty_bitmap = bitmap };
	long result = io(vm.vm, KVM_GET_DIRTY_LOG, (unsigned long)&log);
	if (result < 0) {
		report(result);
		return;
	}
	uint64_t count = 0;
	for (uint64_t page = 0; page < slot->size / PAGE; page++) {
		if (!(bitmap[page / 64] >> page % 64 & 1))
			continue;
		text(count++ ? " 0x" : "dirty: 0x");
		hex(slot->gpa + page * PAGE);
	}
	text(count ? "\n" : "no page is dirty\n");
}

/* The nested guest reads one address in a separate thread until it is stopped. */
static volatile int running, finished;
static volatile uint64_t holes, other_exits;
static volatile uint8_t seen[256];

static void reader(void *unused)
{
	(void)unused;
	while (running) {
		long result = io(vm.vcpu, KVM_RUN, 0);
		if (result == -4)
			continue;
		if (result == 0 && vm.run->exit_reason == KVM_EXIT_MMIO)
			holes++;
		else if (running)
			other_exits++;
	}
	/* The last exit may be for a hole. KVM completes that access at the next KVM_RUN, which would give its bytes to the read of the next command. */
	vm.run->immediate_exit = 1;
	io(vm.vcpu, KVM_RUN, 0);
	vm.run->immediate_exit = 0;
	finished = 1;
	wake(&finished);
}

static void exchange(struct arguments a)
{
	struct slot *one = live(a.value[0]), *two = one ? live(a.value[1]) : 0;
	uint64_t times = a.count > 2 ? a.value[2] : 50;
	if (!two)
		return;
	if (one == two || one->size != two->size || one->gpa >= REGION_LIMIT) {
		text("two slots of one size are exchanged, the first below 1M, where the nested guest reads\n");
		return;
	}
	prepare_reader(&vm, one->gpa);
	holes = other_exits = spent = calls = 0;
	finished = 0;
	running = 1;
	start_thread(reader, 0);
	for (int wait = 0; wait < 1000 && reads_done() < 100; wait++)
		pause_ms(1);
	uint32_t before = reads_done();
	uint64_t start = now();
	long result = 0;
	for (uint64_t i = 0; i < times && result == 0; i++) {
		/* KVM takes one slot per call, and both addresses are in use: two deletions, two creations. */
		uint64_t gpa1 = one->gpa, gpa2 = two->gpa;
		if ((result = timed(a.value[0], 0, 0, 0, 0)) < 0 || (result = timed(a.value[1], 0, 0, 0, 0)) < 0)
			break;
		if ((result = timed(a.value[0], one->flags, gpa2, one->size, one->hva)) < 0 ||
		    (result = timed(a.value[1], two->flags, gpa1, two->size, two->hva)) < 0)
			break;
		one->gpa = gpa2;
		two->gpa = gpa1;
	}
	uint64_t took = now() - start;
	/* A nested guest that only reads never exits: patch its code with HLT to stop it. */
	uint32_t reads = reads_done() - before;
	running = 0;
	*(volatile uint8_t *)(uintptr_t)CODE_HVA = 0xf4;
	wait_while(&finished, 0);
	if (result < 0)
		report(result);
	dec(times);
	text(" exchanges by ");
	dec(calls);
	text(" ioctls, ");
	dec(calls ? spent / calls / 1000 : 0);
	text(" us each, ");
	dec(took / 1000000);
	text(" ms; the nested guest read ");
	dec(reads);
	text(" times and fell into the hole ");
	dec(holes);
	text(" times (KVM_EXIT_MMIO)\n");
}

/* Prints this KVM's memslot capabilities, which differ between kernels. Constants missing from Debian 12's linux/kvm.h are given as numbers. */
static void capabilities(void)
{
	static const struct { const char *name; int number; } asked[] = {
		{ "NR_MEMSLOTS", KVM_CAP_NR_MEMSLOTS },
		{ "MULTI_ADDRESS_SPACE", KVM_CAP_MULTI_ADDRESS_SPACE },
		{ "READONLY_MEM", KVM_CAP_READONLY_MEM },
		{ "MANUAL_DIRTY_LOG_PROTECT2", KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 },
		{ "DIRTY_LOG_RING", KVM_CAP_DIRTY_LOG_RING },
		{ "DIRTY_LOG_RING_ACQ_REL", KVM_CAP_DIRTY_LOG_RING_ACQ_REL },
		{ "DISABLE_QUIRKS2", KVM_CAP_DISABLE_QUIRKS2 },
		{ "USER_MEMORY2", 231 },
		{ "MEMORY_ATTRIBUTES", 233 },
		{ "GUEST_MEMFD", 234 },
		{ "PRE_FAULT_MEMORY", 236 },
	};
	for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++) {
		text(asked[i].name);
		text(" 0x");
		hex(io(vm.vm, KVM_CHECK_EXTENSION, asked[i].number));
		character('\n');
	}
}

/* A deleted or moved slot drops only its own translations, not all of the machine's: Linux 6.12 and newer. */
static void zap_slot(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DISABLE_QUIRKS2, .args = { QUIRK_SLOT_ZAP_ALL } };
	long result = io(vm.vm, KVM_ENABLE_CAP, (unsigned long)&cap);
	if (result < 0)
		report(result);
	else
		text("KVM_X86_QUIRK_SLOT_ZAP_ALL is disabled\n");
}

static void help(void)
{
	text("create ID GPA SIZE [-l] [-r]   KVM_SET_USER_MEMORY_REGION; -l logs dirty pages, -r read-only\n"
	     "move ID GPA, flags ID [-l] [-r], delete ID, list\n"
	     "read GPA, write GPA            by the nested guest (real mode, below 1M)\n"
	     "dirty ID                       KVM_GET_DIRTY_LOG\n"
	     "exchange ID ID [TIMES]         two slots change places by four ioctls under a nested guest that reads\n"
	     "caps                           what KVM_CHECK_EXTENSION says of memslots\n"
	     "zap-slot                       disable KVM_X86_QUIRK_SLOT_ZAP_ALL (Linux 6.12 and newer)\n"
	     "quit\n");
}

static int command(char *line)
{
	char *name = word(&line);
	if (!name)
		return 1;
	spent = calls = 0;
	struct arguments a = arguments(line);
	if (a.wrong)
		return 1;
	if (same(name, "create") && a.count == 3)
		create(a);
	else if (same(name, "move") && a.count == 2) {
		if (live(a.value[0]))
			change(a.value[0], a.value[1], slots[a.value[0]].flags | a.flags);
	} else if (same(name, "flags") && a.count == 1) {
		if (live(a.value[0]))
			change(a.value[0], slots[a.value[0]].gpa, a.flags);
	} else if (same(name, "delete") && a.count == 1)
		delete(a.value[0]);
	else if (same(name, "list") && !a.count)
		list();
	else if (same(name, "read") && a.count == 1)
		access(a.value[0], 0);
	else if (same(name, "write") && a.count == 1)
		access(a.value[0], 1);
	else if (same(name, "dirty") && a.count == 1)
		dirty(a.value[0]);
	else if (same(name, "exchange") && a.count >= 2)
		exchange(a);
	else if (same(name, "caps") && !a.count)
		capabilities();
	else if (same(name, "zap-slot") && !a.count)
		zap_slot();
	else if (same(name, "help"))
		help();
	else if (same(name, "quit"))
		return 0;
	else {
		text("not understood: ");
		text(name);
		text(" (help)\n");
	}
	return 1;
}

int main(int argc, char **argv)
{
	char line[256];
	map(POOL_HVA, POOL_PAGES * PAGE);
	if (make_vm(&vm) < 0)
		return 1;
	/* Commands as arguments: kvm-memslots 'create 0 0x10000 64K' 'read 0x10000'. */
	for (int i = 1; i < argc; i++) {
		int length = 0;
		while (argv[i][length] && length < 255)
			line[length] = argv[i][length], length++;
		line[length] = 0;
		if (!command(line))
			return 0;
	}
	if (argc > 1)
		return 0;
	text("Memslots of KVM itself. 'help' lists the commands.\n");
	do
		text("kvm> ");
	while (read_line(line, sizeof line) >= 0 && command(line));
	return 0;
}
