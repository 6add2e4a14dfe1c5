/*
 * kvm-fuzz SEED COUNT: random calls of KVM's memslot interface, each printed with KVM's answer. A program reads the output:
 * test/support/kvm-answers.ts.
 *
 *   n                                      a new virtual machine
 *   q ANSWER                               KVM_X86_QUIRK_SLOT_ZAP_ALL is disabled (not before Linux 6.12)
 *   b BYTES ANSWER                         KVM_CAP_DIRTY_LOG_RING, before v or too late
 *   v                                      the machine has its vCPU, and the slot of the nested guest's code
 *   s SLOT FLAGS GPA SIZE HVA ANSWER       KVM_SET_USER_MEMORY_REGION
 *   g SLOT ANSWER [BITMAP]                 KVM_GET_DIRTY_LOG, words of 64 bits
 *   c SLOT FIRST PAGES WORD ANSWER         KVM_CLEAR_DIRTY_LOG, each word of the bitmap is WORD
 *   m FLAGS ANSWER                         KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2
 *   r GPA OUTCOME, w GPA OUTCOME           the nested guest reads or writes a byte: ok, mmio or fault
 *   h [SLOT:PAGE]...                       what stands in the vCPU's dirty ring, in its order; all of it is then given back:
 *   z ANSWER                               KVM_RESET_DIRTY_RINGS: entries, or errno
 *
 * Numbers are hexadecimal, SLOT has the address space in its bits 31:16, ANSWER is 0 or an errno's name.
 */
#include "vm.h"

#define POOL_PAGES 512
#define SLOTS 8
#define CALLS_PER_VM 400
/* Requested bitmaps have at most this many words. */
#define MOST_WORDS 64

static uint64_t state;
static uint32_t draw(uint32_t limit)
{
	state += 0x9e3779b97f4a7c15u;
	uint64_t z = state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ z >> 31) >> 32) % limit;
}

/* The live slots, so that calls can target them. pages 0: no slot. */
static struct slot { uint32_t pages, flags; uint64_t gpa, hva; } slots[2][SLOTS];
static uint64_t bitmap[MOST_WORDS];
/* gpa of the most recently changed slot, before and after: a stale translation would show there. */
static uint64_t changed[2];
/* The vCPU's ring, if the machine has one. */
static struct kvm_dirty_gfn *ring;
static uint32_t ring_size, ring_next;

static uint32_t draw_slot(void)
{
	switch (draw(24)) {
	case 0:
		return 32764 + draw(3);
	case 1:
		return draw(SLOTS) | 2 << 16;
	case 2:
	case 3:
	case 4:
		return draw(SLOTS) | 1 << 16;
	default:
		return draw(SLOTS);
	}
}

static struct slot *live(uint32_t slot)
{
	return (slot & 0xffff) < SLOTS && slot >> 16 < 2 ? &slots[slot >> 16][slot & 0xffff] : 0;
}

static uint64_t draw_gpa(void)
{
	uint64_t gpa = (uint64_t)(0x10 + draw(0x60)) * PAGE;
	switch (draw(40)) {
	case 0:
		return gpa + 1 + draw(4095);
	case 1:
		return CODE_GPA;
	case 2:
		return ((uint64_t)1 << 46) - (uint64_t)draw(8) * PAGE;
	case 3:
		return ((uint64_t)1 << 52) - (uint64_t)draw(20) * PAGE;
	case 4:
		return (uint64_t)draw(64) << 40;
	default:
		return gpa;
	}
}

static uint64_t draw_size(void)
{
	switch (draw(32)) {
	case 0:
		return 1 + draw(4095);
	case 1:
		return (uint64_t)PAGE << (20 + draw(16));
	case 2:
		return (uint64_t)0x7fffffff * PAGE + (uint64_t)draw(2) * PAGE;
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
		return 0;
	case 8:
		return (uint64_t)(64 + draw(160)) * PAGE;
	default:
		return (uint64_t)(1 + draw(12)) * PAGE;
	}
}

static uint64_t draw_hva(void)
{
	uint64_t hva = POOL_HVA + (uint64_t)draw(POOL_PAGES) * PAGE;
	switch (draw(40)) {
	case 0:
		return hva + 1 + draw(4095);
	case 1:
		return ((uint64_t)1 << 47) - (uint64_t)draw(16) * PAGE;
	case 2:
		return (uint64_t)1 << (47 + draw(6));
	case 3:
		return 0;
	default:
		return hva;
	}
}

static void call_set(struct vm *vm)
{
	uint32_t slot = draw_slot();
	uint32_t flags = draw(3) ? draw(4) : draw(12) ? 0 : (uint32_t)1 << draw(32);
	uint64_t gpa = draw_gpa(), size = draw_size(), hva = draw_hva();
	struct slot *at = live(slot);
	/* Most random calls would be refused, so keep the fixed properties of a live slot, for moves, flag changes and calls that change nothing. */
	if (at && at->pages && draw(3)) {
		size = (uint64_t)at->pages * PAGE;
		hva = at->hva;
		flags = (at->flags & 2) | draw(2);
		if (draw(2))
			gpa = at->gpa;
	}
	/* This machine may not have the memory for a bitmap of gigabytes. */
	if (flags & 1 && size > (uint64_t)MOST_WORDS * 64 * PAGE)
		flags &= ~1u;
	long result = set_region(vm->vm, slot, flags, gpa, size, hva);
	if (result == 0 && at) {
		changed[0] = at->pages ? at->gpa : gpa;
		changed[1] = gpa;
		if (size)
			*at = (struct slot){ size / PAGE, flags, gpa, hva };
		else
			at->pages = 0;
	}
	text("s ");
	hex(slot);
	character(' ');
	hex(flags);
	character(' ');
	hex(gpa);
	character(' ');
	hex(size);
	character(' ');
	hex(hva);
	character(' ');
	error_name(result);
	character('\n');
}

static uint32_t words_of(uint32_t slot)
{
	struct slot *at = live(slot);
	return at && at->pages ? (at->pages + 63) / 64 : slot == CODE_SLOT;
}

static void call_get(struct vm *vm)
{
	uint32_t slot = draw(20) ? draw_slot() : CODE_SLOT;
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };
	long result = io(vm->vm, KVM_GET_DIRTY_LOG, (unsigned long)&log);
	text("g ");
	hex(slot);
	character(' ');
	error_name(result);
	for (uint32_t i = 0; result == 0 && i < words_of(slot) && i < MOST_WORDS; i++) {
		character(' ');
		hex(bitmap[i]);
	}
	character('\n');
}

static void call_clear(struct vm *vm)
{
	uint32_t slot = draw_slot();
	struct slot *at = live(slot);
	uint32_t pages = at && at->pages ? at->pages : 8;
	uint64_t first = draw(4) ? 0 : draw(6) ? 64 * draw(4) : draw(300);
	uint32_t count = draw(3) ? (first < pages ? pages - first : draw(9)) : draw(4) ? 64 * (1 + draw(3)) : draw(300);
	uint64_t value = draw(3) ? ~(uint64_t)0 : ((uint64_t)draw(0xffffffff) << 32) | draw(0xffffffff);
	for (unsigned i = 0; i < MOST_WORDS; i++)
		bitmap[i] = value;
	struct kvm_clear_dirty_log log = { .slot = slot, .num_pages = count, .first_page = first, .dirty_bitmap = bitmap };
	long result = io(vm->vm, KVM_CLEAR_DIRTY_LOG, (unsigned long)&log);
	text("c ");
	hex(slot);
	character(' ');
	hex(first);
	character(' ');
	hex(count);
	character(' ');
	hex(value);
	character(' ');
	error_name(result);
	character('\n');
}

static void call_manual(struct vm *vm)
{
	uint32_t flags = draw(4);
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { flags } };
	long result = io(vm->vm, KVM_ENABLE_CAP, (unsigned long)&cap);
	text("m ");
	hex(flags);
	character(' ');
	error_name(result);
	character('\n');
}

static int logged(uint64_t gpa)
{
	for (int i = 0; i < SLOTS; i++) {
		struct slot *at = &slots[0][i];
		if (at->flags & 1 && gpa >= at->gpa && gpa - at->gpa < (uint64_t)at->pages * PAGE)
			return 1;
	}
	return 0;
}

static void call_touch(struct vm *vm)
{
	static const char *const names[] = { "ok", "mmio", "fault", "other", "full" };
	uint32_t gpa = (0x10 + draw(0x70)) * PAGE + draw(PAGE);
	uint64_t near = changed[draw(2)] + draw(3) * PAGE;
	if (draw(2) && near >= 0x10000 && near < 0x80000)
		gpa = near + draw(PAGE);
	/* A read that maps a page writable marks it dirty in KVM (make_spte): while writes are logged the guest only writes. */
	int write = draw(3) != 0 || logged(gpa);
	/* A slot without backing memory ends the run with EFAULT, as with QEMU. */
	enum outcome outcome = touch(vm, gpa, write);
	text(write ? "w " : "r ");
	hex(gpa);
	character(' ');
	text(names[outcome]);
	character('\n');
}

static void call_ring(struct vm *vm, uint32_t bytes)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DIRTY_LOG_RING, .args = { bytes } };
	long result = io(vm->vm, KVM_ENABLE_CAP, (unsigned long)&cap);
	if (result == 0)
		ring_size = bytes / sizeof *ring;
	text("b ");
	hex(bytes);
	character(' ');
	error_name(result);
	character('\n');
}

static uint32_t draw_ring(void)
{
	return draw(3) ? (uint32_t)1 << (8 + draw(14)) : draw(0x200000);
}

static void call_harvest(struct vm *vm)
{
	if (ring) {
		text("h");
		for (;;) {
			struct kvm_dirty_gfn *entry = &ring[ring_next % ring_size];
			if (!(__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY))
				break;
			character(' ');
			hex(entry->slot);
			character(':');
			hex(entry->offset);
			__atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
			ring_next++;
		}
		character('\n');
	}
	long result = io(vm->vm, KVM_RESET_DIRTY_RINGS, 0);
	text("z ");
	if (result < 0)
		error_name(result);
	else
		hex(result);
	character('\n');
}

static int new_vm(struct vm *vm)
{
	text("n\n");
	if (open_vm(vm) < 0)
		return -1;
	if (draw(2)) {
		struct kvm_enable_cap cap = { .cap = KVM_CAP_DISABLE_QUIRKS2, .args = { QUIRK_SLOT_ZAP_ALL } };
		text("q ");
		error_name(io(vm->vm, KVM_ENABLE_CAP, (unsigned long)&cap));
		character('\n');
	}
	ring = 0;
	ring_size = ring_next = 0;
	for (uint32_t tries = draw(4) ? 0 : 1 + draw(4); tries; tries--)
		call_ring(vm, draw_ring());
	text("v\n");
	if (add_vcpu(vm) < 0)
		return -1;
	if (ring_size)
		ring = map_fd_at(vm->vcpu, ring_size * sizeof *ring, KVM_DIRTY_LOG_PAGE_OFFSET * PAGE);
	memset(slots, 0, sizeof slots);
	changed[0] = changed[1] = 0;
	return 0;
}

static void end_vm(struct vm *vm)
{
	if (ring)
		unmap(ring, ring_size * sizeof *ring);
	drop_vm(vm);
}

int main(int argc, char **argv)
{
	uint64_t seed, count;
	if (argc != 3 || !number(argv[1], &seed) || !number(argv[2], &count)) {
		text("usage: kvm-fuzz SEED COUNT: random memslot calls, each with KVM's answer\n");
		return 1;
	}
	state = seed;
	struct vm vm;
	int made = 0;
	map(POOL_HVA, POOL_PAGES * PAGE);
	for (uint64_t i = 0; i < count; i++) {
		if (i % CALLS_PER_VM == 0) {
			if (made)
				end_vm(&vm);
			made = 1;
			if (new_vm(&vm) < 0)
				return 1;
		}
		uint32_t kind = draw(32);
		if (kind < 16)
			call_set(&vm);
		else if (kind < 21)
			call_get(&vm);
		else if (kind < 24)
			call_clear(&vm);
		else if (kind == 24 && !draw(6))
			call_manual(&vm);
		else if (kind == 24 && !draw(10))
			call_ring(&vm, draw_ring());
		else if (kind == 25 && (ring || !draw(10)))
			call_harvest(&vm);
		else
			call_touch(&vm);
	}
	text("end\n");
	return 0;
}
