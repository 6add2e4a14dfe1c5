#include "vm.h"

static void failed(const char *what, long result)
{
	text("kvm: ");
	text(what);
	text(": ");
	error_name(result);
	character('\n');
}

long set_region(int vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, uint64_t hva)
{
	struct kvm_userspace_memory_region region = { slot, flags, gpa, size, hva };
	return io(vm, KVM_SET_USER_MEMORY_REGION, (unsigned long)&region);
}

static long put_registers(struct vm *vm, struct kvm_regs *registers)
{
	struct kvm_sregs sregs;
	long result = io(vm->vcpu, KVM_GET_SREGS, (unsigned long)&sregs);
	if (result < 0)
		return result;
	sregs.cs.base = CODE_GPA;
	sregs.cs.selector = CODE_GPA >> 4;
	sregs.ds.base = sregs.ds.selector = 0;
	sregs.es.base = (registers->rsi & 0xf0000);
	sregs.es.selector = sregs.es.base >> 4;
	result = io(vm->vcpu, KVM_SET_SREGS, (unsigned long)&sregs);
	return result < 0 ? result : io(vm->vcpu, KVM_SET_REGS, (unsigned long)registers);
}

int open_vm(struct vm *vm)
{
	vm->vm = vm->vcpu = -1;
	vm->kvm = open_rw("/dev/kvm");
	if (vm->kvm < 0) {
		failed("/dev/kvm", vm->kvm);
		return vm->kvm;
	}
	vm->run_size = io(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vm->vm = io(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->vm < 0) {
		failed("KVM_CREATE_VM", vm->vm);
		return vm->vm;
	}
	return 0;
}

int add_vcpu(struct vm *vm)
{
	vm->vcpu = io(vm->vm, KVM_CREATE_VCPU, 0);
	if (vm->vcpu < 0) {
		failed("KVM_CREATE_VCPU", vm->vcpu);
		return vm->vcpu;
	}
	vm->run = map_fd(vm->vcpu, vm->run_size);
	map(CODE_HVA, PAGE);
	long result = set_region(vm->vm, CODE_SLOT, 0, CODE_GPA, PAGE, CODE_HVA);
	if (result < 0)
		failed("KVM_SET_USER_MEMORY_REGION", result);
	return result;
}

int make_vm(struct vm *vm)
{
	int result = open_vm(vm);
	return result < 0 ? result : add_vcpu(vm);
}

void drop_vm(struct vm *vm)
{
	unmap(vm->run, vm->run_size);
	close_fd(vm->vcpu);
	close_fd(vm->vm);
	close_fd(vm->kvm);
}

enum outcome touch(struct vm *vm, uint32_t gpa, int write)
{
	/* mov al, es:[si] or mov es:[si], al; hlt */
	const unsigned char code[] = { 0x26, write ? 0x88 : 0x8a, 0x04, 0xf4 };
	struct kvm_regs registers = { .rip = 0, .rsi = gpa, .rflags = 2, .rsp = 0xf00 };
	memcpy((void *)(uintptr_t)CODE_HVA, code, sizeof code);
	if (put_registers(vm, &registers) < 0)
		return OTHER;
	enum outcome outcome = DONE;
	for (;;) {
		long result = io(vm->vcpu, KVM_RUN, 0);
		if (result == -14)
			return FAULT;
		if (result < 0)
			return OTHER;
		if (vm->run->exit_reason == KVM_EXIT_HLT)
			return outcome;
		if (vm->run->exit_reason == KVM_EXIT_DIRTY_RING_FULL)
			return FULL;
		if (vm->run->exit_reason != KVM_EXIT_MMIO)
			return OTHER;
		outcome = MMIO;
	}
}

void prepare_reader(struct vm *vm, uint32_t gpa)
{
	/* again: mov al, es:[si]; inc dword cs:[0xff0]; jmp again */
	const unsigned char code[] = { 0x26, 0x8a, 0x04, 0x66, 0x2e, 0xff, 0x06, 0xf0, 0x0f, 0xeb, 0xf5 };
	struct kvm_regs registers = { .rip = 0, .rsi = gpa, .rflags = 2, .rsp = 0xf00 };
	memset((void *)(uintptr_t)CODE_HVA, 0, PAGE);
	memcpy((void *)(uintptr_t)CODE_HVA, code, sizeof code);
	put_registers(vm, &registers);
}

uint32_t reads_done(void)
{
	return *(volatile uint32_t *)(uintptr_t)(CODE_HVA + 0xff0);
}

void error_name(long result)
{
	static const struct { int number; const char *name; } names[] = {
		{ 2, "ENOENT" }, { 4, "EINTR" }, { 5, "EIO" }, { 6, "ENXIO" }, { 7, "E2BIG" }, { 9, "EBADF" }, { 12, "ENOMEM" },
		{ 14, "EFAULT" }, { 16, "EBUSY" }, { 17, "EEXIST" }, { 19, "ENODEV" }, { 22, "EINVAL" }, { 25, "ENOTTY" },
	};
	if (result >= 0) {
		character('0');
		return;
	}
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].number == -result) {
			text(names[i].name);
			return;
		}
	text("errno ");
	dec(-result);
}
