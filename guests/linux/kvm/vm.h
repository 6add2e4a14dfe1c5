/* A virtual machine in /dev/kvm with one vCPU whose code reads, writes or computes. */
#ifndef VM_H
#define VM_H
#include "sys.h"
#include <linux/kvm.h>

/* The nested guest's code: one page in a separate memslot, at a fixed host address. */
#define CODE_GPA 0xf000u
#define CODE_SLOT 32763
#define CODE_HVA 0x100000000u
/* Backings of the memslots under test begin here. */
#define POOL_HVA 0x200000000u
#define PAGE 4096u
/* KVM_X86_QUIRK_SLOT_ZAP_ALL of Linux 6.12's linux/kvm.h */
#define QUIRK_SLOT_ZAP_ALL 0x80

struct vm {
	int kvm, vm, vcpu;
	size_t run_size;
	struct kvm_run *run;
};

/* Creates the VM, its vCPU and the code slot. Returns 0, or -errno after printing the name of the failed call. */
int make_vm(struct vm *vm);
/* The same in two steps; settings that must precede the first vCPU go between them. */
int open_vm(struct vm *vm);
int add_vcpu(struct vm *vm);
void drop_vm(struct vm *vm);
long set_region(int vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, uint64_t hva);
/* The outcome of a nested guest's access to an address below 1 MiB. */
enum outcome { DONE, MMIO, FAULT, OTHER, FULL };
enum outcome touch(struct vm *vm, uint32_t gpa, int write);
/* Prepares a loop that reads one byte at gpa, counts the reads at CODE_GPA + 0xff0 and never exits by itself. */
void prepare_reader(struct vm *vm, uint32_t gpa);
uint32_t reads_done(void);
/* The errno's name. */
void error_name(long result);
#endif
