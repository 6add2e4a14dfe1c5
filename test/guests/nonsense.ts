/**
 * A guest that writes nonsense to every device: it never ends, and chooses port, address, MSR, size and value at random. Every vector (a fault, an
 * interrupt, an NMI) restarts its loop. After each reset it begins again with other numbers.
 */
import { GED_BASE, IOAPIC_BASE, LAPIC_BASE, MEMHP_PORT, virtioBase } from '../../engine/machine/board';
import { type Assembler, multibootImage } from '../support/assembler';

const STACK = 0x180000;
const CODE_SELECTOR = 0x10;
const INTERRUPT_GATE = 0x8e00;
/** Lists of ports, addresses and MSRs, each repeated up to this length. */
const LIST = 64;

const PORTS = [
  0x20,
  0x21,
  0x40,
  0x42,
  0x43,
  0x61,
  0x64,
  0x70,
  0x71,
  0x80,
  0x92,
  0xa0,
  0xa1,
  0xcf8,
  0xe9,
  0x3f8,
  0x3f9,
  0x3fa,
  0x3fb,
  0x3fc,
  0x3ff,
  0x4d0,
  MEMHP_PORT,
  MEMHP_PORT + 4,
  MEMHP_PORT + 8,
  MEMHP_PORT + 20,
  0xf4,
];
const PAGES = [LAPIC_BASE, IOAPIC_BASE, GED_BASE, LAPIC_BASE, virtioBase(0), virtioBase(0), 0xa0000, 0xd0000000, 0xfed00000, 0xffffe000];
const MSRS = [
  0x10, 0x1b, 0x3b, 0x8b, 0xfe, 0x174, 0x175, 0x176, 0x179, 0x17a, 0x1a0, 0x200, 0x201, 0x250, 0x268, 0x277, 0x2ff, 0x6e0, 0x800, 0x802,
  0x80b, 0x830, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xc0010015,
];

/** One operation each; EAX is random on entry, ESI a random address in a device's page, DX a random port, EBX random. */
const OPERATIONS: [string, number[]][] = [
  ['out dx, al', [0xee]],
  ['out dx, al', [0xee]],
  ['out dx, ax', [0x66, 0xef]],
  ['out dx, eax', [0xef]],
  ['in al, dx', [0xec]],
  ['in eax, dx', [0xed]],
  ['mov [esi], al', [0x88, 0x06]],
  ['mov [esi], ax', [0x66, 0x89, 0x06]],
  ['mov [esi], eax', [0x89, 0x06]],
  ['and esi, -16; mov [esi], eax', [0x83, 0xe6, 0xf0, 0x89, 0x06]],
  ['and esi, -16; movzx eax, al; mov [esi], eax', [0x83, 0xe6, 0xf0, 0x0f, 0xb6, 0xc0, 0x89, 0x06]],
  ['and esi, -16; mov eax, [esi]', [0x83, 0xe6, 0xf0, 0x8b, 0x06]],
  ['mov al, [esi]; lock xadd [esi], eax', [0x8a, 0x06, 0xf0, 0x0f, 0xc1, 0x06]],
  ['mov ecx, edi; mov edx, ebx; wrmsr', [0x89, 0xf9, 0x89, 0xda, 0x0f, 0x30]],
  ['mov ecx, edi; rdmsr', [0x89, 0xf9, 0x0f, 0x32]],
  ['sti; rep outsb, at most 16; cli', [0xfb, 0x89, 0xd9, 0x83, 0xe1, 0x0f, 0xbe, 0, 0, 0x10, 0, 0xf3, 0x6e, 0xfa]],
];
/** Fits the longest operation with its `jmp`; a power of two. */
const OPERATION_SIZE = 32;

function list(asm: Assembler, name: string, values: number[]): void {
  asm.align(4).label(name);
  for (let n = 0; n < LIST; n++) asm.d(values[n % values.length]!);
}

/** reg = list[random & 63]; clobbers EAX. */
function pick(asm: Assembler, name: string, modrm: number): void {
  asm.call('random').b(0x83, 0xe0, LIST - 1); // and eax, 63
  asm.b(0x8b, modrm, 0x85).at(name); // mov reg, [list + eax * 4]
}

export function nonsense(seed: number): Uint8Array {
  return multibootImage((asm) => {
    asm.b(0xbc).d(STACK); // mov esp, STACK
    asm.b(0x0f, 0x31, 0x35).d(seed).b(0x83, 0xc8, 0x01, 0x89, 0xc5); // rdtsc; xor eax, seed; or eax, 1; mov ebp, eax
    asm.b(0xbf).at('idt').b(0xb9).d(256).b(0xbb).at('vector'); // mov edi, idt; mov ecx, 256; mov ebx, vector
    asm.label('gate');
    asm.b(0x66, 0x89, 0x1f); // mov [edi], bx
    asm.b(0x66, 0xc7, 0x47, 2, CODE_SELECTOR, 0); // mov word [edi + 2], CODE_SELECTOR
    asm.b(0x66, 0xc7, 0x47, 4, INTERRUPT_GATE & 255, INTERRUPT_GATE >> 8); // mov word [edi + 4], INTERRUPT_GATE
    asm.b(0x89, 0xd8, 0xc1, 0xe8, 16, 0x66, 0x89, 0x47, 6); // mov eax, ebx; shr eax, 16; mov [edi + 6], ax
    asm.b(0x83, 0xc7, 8, 0x49, 0x0f, 0x85).to('gate'); // add edi, 8; dec ecx; jnz gate
    asm.b(0x0f, 0x01, 0x1d).at('idtr'); // lidt [idtr]
    loop(asm);
    asm.label('vector');
    asm.b(0xbc).d(STACK).b(0x9c, 0x6a, CODE_SELECTOR, 0x68).at('loop').b(0xcf); // mov esp, STACK; pushf; push cs; push loop; iret
    asm.label('random'); // xorshift32 of EBP, also in EAX
    for (const [code, count] of [
      [0xe0, 13],
      [0xe8, 17],
      [0xe0, 5],
    ] as const)
      asm.b(0x89, 0xe8, 0xc1, code, count, 0x31, 0xc5);
    asm.b(0x89, 0xe8, 0xc3);
    asm.align(OPERATION_SIZE).label('operations');
    for (const [, bytes] of OPERATIONS)
      asm
        .b(...bytes)
        .jmp('loop')
        .align(OPERATION_SIZE);
    list(asm, 'ports', PORTS);
    list(asm, 'pages', PAGES);
    list(asm, 'msrs', MSRS);
    asm.align(4).label('idtr').b(0xff, 0x07).at('idt');
    asm.align(8).label('idt');
    for (let n = 0; n < 512; n++) asm.d(0);
  });
}

function loop(asm: Assembler): void {
  asm.label('loop');
  pick(asm, 'pages', 0x34); // esi
  asm.b(0x89, 0xe8, 0xc1, 0xe8, 16, 0x25).d(0xfff).b(0x01, 0xc6); // mov eax, ebp; shr eax, 16; and eax, 0xfff; add esi, eax
  pick(asm, 'msrs', 0x3c); // edi
  pick(asm, 'ports', 0x14); // edx
  asm.call('random').b(0xa8, 3, 0x75, 2, 0x89, 0xc2); // one time in four any port: test al, 3; jnz +2; mov edx, eax
  asm.call('random').b(0x89, 0xc3); // mov ebx, eax
  asm.b(0xa9).d(0x10000).b(0x74, 2, 0x31, 0xdb); // test eax, 0x10000; jz +2; xor ebx, ebx
  asm.call('random').b(0x89, 0xc1, 0x83, 0xe1, OPERATIONS.length - 1, 0xc1, 0xe1, 5); // mov ecx, eax; and ecx, 15; shl ecx, 5
  asm.b(0x81, 0xc1).at('operations').b(0x50); // add ecx, operations; push eax
  asm.call('random').b(0x58, 0x85, 0xed, 0x78, 5, 0x25).d(0xff).b(0xff, 0xe1); // pop eax; test ebp, ebp; js +5; and eax, 0xff; jmp ecx
}
