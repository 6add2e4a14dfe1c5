/**
 * A hypervisor of a few instructions with a 64-bit guest under nested paging, for `npm run bench:svm`. It waits for a letter on the serial line and
 * marks start and end as the images of contender.ts do: a: ROUND_TRIPS times VMRUN and the #VMEXIT of the guest's VMMCALL. b: a loop over memory, run
 * without virtualization. c: the same loop in the guest.
 */
import * as svm from '../../engine/abi/svm';
import { multibootImage } from '../support/assembler';

export const ROUND_TRIPS = 200_000;
/** Passes of the loop over 256 KiB. */
const PASSES = 150;

const VMCB = 0x200000;
const HSAVE = 0x201000;
const PML4 = 0x300000;
const DATA = 0x800000;
const STACK = 0x90000;
const GUEST_STACK = 0x80000;
const VMMCALL_EXIT = 0x81;
const CS = 8;
const SS = 0x10;

type Asm = Parameters<Parameters<typeof multibootImage>[0]>[0];

/** 32-bit code: 2 MiB pages one to one, long mode, SVM on. */
function enterLongMode(asm: Asm): void {
  const store = (at: number, value: number) => asm.b(0xc7, 0x05).d(at, value);
  asm.b(0xbc).d(STACK).b(0x0f, 0x01, 0x15).at('gdtr'); // mov esp; lgdt
  store(PML4, (PML4 + 0x1000) | 7);
  store(PML4 + 0x1000, (PML4 + 0x2000) | 7);
  asm
    .b(0xbf)
    .d(PML4 + 0x2000)
    .b(0xb8)
    .d(0x87)
    .b(0xb9)
    .d(512); // mov edi; mov eax; mov ecx
  asm
    .b(0x89, 0x07, 0x05)
    .d(0x200000)
    .b(0x83, 0xc7, 8, 0x49, 0x75, -13 & 255); // mov [edi], eax; add eax, 2M; add edi, 8; dec ecx; jnz
  asm.b(0xb8).d(PML4).b(0x0f, 0x22, 0xd8); // mov cr3, eax
  asm.b(0xb8).d(0x20).b(0x0f, 0x22, 0xe0); // mov cr4, eax: PAE
  asm.b(0xb9).d(0xc0000080).b(0x0f, 0x32, 0x0d).d(0x1100).b(0x0f, 0x30); // EFER |= SVME, LME
  asm.b(0xb9).d(0xc0010117).b(0x31, 0xd2, 0xb8).d(HSAVE).b(0x0f, 0x30); // VM_HSAVE_PA
  asm.b(0x0f, 0x20, 0xc0, 0x0d).d(0x80000000).b(0x0f, 0x22, 0xc0); // CR0 |= PG
  asm.b(0xea).at('long').b(CS, 0); // jmp far
}

/** mov dword [rbx + field], value */
const put = (asm: Asm, field: number, value: number): Asm => asm.b(0xc7, 0x83).d(field, value);

function fillVmcb(asm: Asm): void {
  asm.b(0xbb).d(VMCB); // mov ebx
  put(asm, svm.VMCB_INTERCEPT_4, 3);
  put(asm, svm.VMCB_ASID, 1);
  put(asm, svm.VMCB_NP_ENABLE, 1);
  put(asm, svm.VMCB_NCR3, PML4);
  put(asm, svm.VMCB_G_PAT, 0x00070406);
  put(asm, svm.VMCB_G_PAT + 4, 0x00070406);
  put(asm, svm.VMCB_CS, CS | (0xa9b << 16));
  put(asm, svm.VMCB_CS + svm.VMCB_SEG_LIMIT, 0xffffffff);
  for (const segment of [svm.VMCB_SS, svm.VMCB_DS, svm.VMCB_ES]) {
    put(asm, segment, SS | (0xc93 << 16));
    put(asm, segment + svm.VMCB_SEG_LIMIT, 0xffffffff);
  }
  put(asm, svm.VMCB_EFER, 0x1500);
  put(asm, svm.VMCB_CR0, 0x80000011);
  put(asm, svm.VMCB_CR3, PML4);
  put(asm, svm.VMCB_CR4, 0x20);
  put(asm, svm.VMCB_DR6, 0xffff0ff0);
  put(asm, svm.VMCB_DR7, 0x400);
  put(asm, svm.VMCB_RFLAGS, 2);
  put(asm, svm.VMCB_RSP, GUEST_STACK);
}

/** VMRUN; any exit but that of VMMCALL ends the workload with its code. */
function enterGuest(asm: Asm): void {
  asm.b(0xb8).d(VMCB).b(0x0f, 0x01, 0xd8); // mov eax; vmrun
  asm.b(0x81, 0xbb).d(svm.VMCB_EXITCODE, VMMCALL_EXIT).b(0x0f, 0x85).to('wrong'); // cmp dword [rbx + EXITCODE]; jne
}

/** mov dword [rbx + RIP], label */
const guestAt = (asm: Asm, label: string): Asm => asm.b(0xc7, 0x83).d(svm.VMCB_RIP).at(label);

function serveLetters(asm: Asm): void {
  asm.label('next').b(0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 1, 0x74, -9 & 255); // mov dx, 0x3fd; in al, dx; test al, 1; jz
  asm.b(0x66, 0xba, 0xf8, 0x03, 0xec, 0x41, 0x89, 0xc4); // mov dx, 0x3f8; in al, dx; mov r12d, eax
  asm.b(0xb0, 0x53).call('print').b(0x31, 0xff); // 'S'; xor edi, edi
  for (const letter of 'abc') asm.b(0x41, 0x80, 0xfc, letter.charCodeAt(0), 0x0f, 0x84).to(letter); // cmp r12b; je
  asm.jmp('end');
  guestAt(asm.label('a'), 'caller').b(0xbd).d(ROUND_TRIPS).label('trip'); // mov ebp
  enterGuest(asm);
  asm.b(0x83, 0x83).d(svm.VMCB_RIP).b(3, 0xff, 0xcd, 0x0f, 0x85).to('trip').jmp('end'); // add dword [rbx + RIP], 3; dec ebp; jnz
  asm.label('b').call('work').jmp('end');
  guestAt(asm.label('c'), 'worker');
  enterGuest(asm);
  asm.label('end').b(0xb0, 0x45).call('print').b(0xb9).d(8).label('digit'); // 'E'; mov ecx
  asm.b(0xc1, 0xc7, 4, 0x89, 0xf8, 0x24, 15, 0x04, 0x30, 0x3c, 0x39, 0x76, 2, 0x04, 39); // rol edi, 4; a hex digit of it in al
  asm.call('print').b(0xff, 0xc9, 0x0f, 0x85).to('digit').b(0xb0, 10).call('print').jmp('next');
  asm.label('wrong').b(0x8b, 0xbb).d(svm.VMCB_EXITCODE).b(0x81, 0xcf).d(0xbad00000).jmp('end'); // mov edi, [rbx + EXITCODE]; or edi
}

export const svmImage = (): Uint8Array =>
  multibootImage((asm) => {
    enterLongMode(asm);
    asm.label('long');
    fillVmcb(asm);
    serveLetters(asm);
    // push rax; wait for the transmitter; pop rax; out; ret
    asm.label('print').b(0x50, 0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x20, 0x74, -5 & 255, 0x58, 0x66, 0xba, 0xf8, 0x03, 0xee, 0xc3);
    asm.label('work').b(0xbe).d(DATA).b(0x41, 0xb8).d(PASSES); // mov esi; mov r8d
    asm.b(0xb9).d(0x10000); // mov ecx
    asm.b(0x8b, 0x44, 0x8e, -4 & 255, 0x01, 0xc8, 0x89, 0x44, 0x8e, -4 & 255, 0x01, 0xc7); // [rsi + rcx * 4 - 4] += ecx; add edi, eax
    asm.b(0xff, 0xc9, 0x75, -16 & 255, 0x41, 0xff, 0xc8, 0x75, -26 & 255, 0xc3); // dec ecx; jnz; dec r8d; jnz; ret
    asm.label('worker').call('work');
    asm.label('caller').b(0x0f, 0x01, 0xd9, 0xeb, -5 & 255); // vmmcall; jmp caller
    asm.align(8).label('gdt').d(0, 0, 0x0000ffff, 0x00af9b00, 0x0000ffff, 0x00cf9300);
    asm.label('gdtr').b(23, 0).at('gdt');
  });
