/** The instruction forms that the differential tester draws from, as encodings with the flags they leave undefined. */
import { FLAG } from './case';
import { sseForms } from './forms-sse';
import { x87Forms } from './forms-x87';

export interface Form {
  name: string;
  /** Mandatory prefix (66, F2, F3) that comes before REX. */
  mandatory?: number;
  /** Opcode bytes, 0F included. */
  opcode: readonly number[];
  /** ModRM: any operand, register or memory only, or none. */
  modrm?: 'any' | 'reg' | 'mem';
  /** Fixed /digit. */
  digit?: number;
  /** Immediate: bytes, 'z' (2 with 66, else 4), 'v' (2, 4 or with REX.W 8). */
  imm?: 1 | 2 | 3 | 4 | 'z' | 'v';
  /** Register in the low bits of the opcode. */
  plusReg?: boolean;
  /** 66 and REX.W change the operand size (false: neither is put in front). */
  sized?: boolean;
  undefinedFlags?: number;
  /** 66 makes the instruction something else on one of the makers' processors. */
  no16?: boolean;
  /** Shift count is CL, the immediate or 1: OF (and more) is undefined for most. */
  shift?: 'shift' | 'rotate' | 'double';
  lock?: boolean;
  rep?: 'rep' | 'repcc';
  fpu?: boolean;
  /** REX.W alone changes the operand size. */
  rexW?: boolean;
  /** Bits of the x87 status word that the manual leaves undefined. */
  undefinedFsw?: number;
  /** Pads the immediate so that a branch lands in the code page. */
  branch?: boolean;
}

const { CF, PF, AF, ZF, SF, OF } = FLAG;
const ALL = CF | PF | AF | ZF | SF | OF;

const forms: Form[] = [];
const add = (form: Form) => forms.push(form);

// Arithmetic and logic, the eight groups of the first quarter of the opcode map.
['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'].forEach((name, i) => {
  const undefinedFlags = ['or', 'and', 'xor'].includes(name) ? AF : 0;
  const lock = name !== 'cmp';
  const base = i * 8;
  add({ name: `${name} Eb,Gb`, opcode: [base], modrm: 'any', undefinedFlags, lock });
  add({ name: `${name} Ev,Gv`, opcode: [base + 1], modrm: 'any', sized: true, undefinedFlags, lock });
  add({ name: `${name} Gb,Eb`, opcode: [base + 2], modrm: 'any', undefinedFlags });
  add({ name: `${name} Gv,Ev`, opcode: [base + 3], modrm: 'any', sized: true, undefinedFlags });
  add({ name: `${name} AL,Ib`, opcode: [base + 4], imm: 1, undefinedFlags });
  add({ name: `${name} eAX,Iz`, opcode: [base + 5], imm: 'z', sized: true, undefinedFlags });
  add({ name: `${name} Eb,Ib`, opcode: [0x80], modrm: 'any', digit: i, imm: 1, undefinedFlags, lock });
  add({ name: `${name} Ev,Iz`, opcode: [0x81], modrm: 'any', digit: i, imm: 'z', sized: true, undefinedFlags, lock });
  add({ name: `${name} Ev,Ib`, opcode: [0x83], modrm: 'any', digit: i, imm: 1, sized: true, undefinedFlags, lock });
});

['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sal', 'sar'].forEach((name, digit) => {
  const shift = digit < 4 ? 'rotate' : 'shift';
  for (const [opcode, operands, imm] of [
    [0xc0, 'Eb,Ib', 1],
    [0xd0, 'Eb,1', 0],
    [0xd2, 'Eb,CL', 0],
  ] as const) {
    const immediate = imm ? { imm: 1 as const } : {};
    add({ name: `${name} ${operands}`, opcode: [opcode], modrm: 'any', digit, shift, ...immediate });
    add({ name: `${name} ${operands.replace('Eb', 'Ev')}`, opcode: [opcode + 1], modrm: 'any', digit, sized: true, shift, ...immediate });
  }
});

for (const [opcode, byte] of [
  [0xf6, true],
  [0xf7, false],
] as const) {
  const operand = byte ? 'Eb' : 'Ev';
  const size = byte ? {} : { sized: true };
  const imm = byte ? (1 as const) : ('z' as const);
  add({ name: `test ${operand},I`, opcode: [opcode], modrm: 'any', digit: 0, imm, undefinedFlags: AF, ...size });
  add({ name: `test/1 ${operand},I`, opcode: [opcode], modrm: 'any', digit: 1, imm, undefinedFlags: AF, ...size });
  add({ name: `not ${operand}`, opcode: [opcode], modrm: 'any', digit: 2, lock: true, ...size });
  add({ name: `neg ${operand}`, opcode: [opcode], modrm: 'any', digit: 3, lock: true, ...size });
  add({ name: `mul ${operand}`, opcode: [opcode], modrm: 'any', digit: 4, undefinedFlags: SF | ZF | AF | PF, ...size });
  add({ name: `imul ${operand}`, opcode: [opcode], modrm: 'any', digit: 5, undefinedFlags: SF | ZF | AF | PF, ...size });
  add({ name: `div ${operand}`, opcode: [opcode], modrm: 'any', digit: 6, undefinedFlags: ALL, ...size });
  add({ name: `idiv ${operand}`, opcode: [opcode], modrm: 'any', digit: 7, undefinedFlags: ALL, ...size });
}
add({ name: 'inc Eb', opcode: [0xfe], modrm: 'any', digit: 0, lock: true });
add({ name: 'dec Eb', opcode: [0xfe], modrm: 'any', digit: 1, lock: true });
add({ name: 'inc Ev', opcode: [0xff], modrm: 'any', digit: 0, sized: true, lock: true });
add({ name: 'dec Ev', opcode: [0xff], modrm: 'any', digit: 1, sized: true, lock: true });
add({ name: 'call Ev', opcode: [0xff], modrm: 'any', digit: 2 });
add({ name: 'jmp Ev', opcode: [0xff], modrm: 'any', digit: 4 });
add({ name: 'push Ev', opcode: [0xff], modrm: 'any', digit: 6, sized: true });
add({ name: 'pop Ev', opcode: [0x8f], modrm: 'any', digit: 0, sized: true });

// Moves.
add({ name: 'mov Eb,Gb', opcode: [0x88], modrm: 'any' });
add({ name: 'mov Ev,Gv', opcode: [0x89], modrm: 'any', sized: true });
add({ name: 'mov Gb,Eb', opcode: [0x8a], modrm: 'any' });
add({ name: 'mov Gv,Ev', opcode: [0x8b], modrm: 'any', sized: true });
add({ name: 'mov Ev,Sw', opcode: [0x8c], modrm: 'any', digit: 1, sized: true });
add({ name: 'lea Gv,M', opcode: [0x8d], modrm: 'mem', sized: true });
add({ name: 'mov Eb,Ib', opcode: [0xc6], modrm: 'any', digit: 0, imm: 1 });
add({ name: 'mov Ev,Iz', opcode: [0xc7], modrm: 'any', digit: 0, imm: 'z', sized: true });
add({ name: 'mov reg8,Ib', opcode: [0xb0], plusReg: true, imm: 1 });
add({ name: 'mov reg,Iv', opcode: [0xb8], plusReg: true, imm: 'v', sized: true });
add({ name: 'xchg Eb,Gb', opcode: [0x86], modrm: 'any', lock: true });
add({ name: 'xchg Ev,Gv', opcode: [0x87], modrm: 'any', sized: true, lock: true });
add({ name: 'xchg reg,rAX', opcode: [0x90], plusReg: true, sized: true });
add({ name: 'test Eb,Gb', opcode: [0x84], modrm: 'any', undefinedFlags: AF });
add({ name: 'test Ev,Gv', opcode: [0x85], modrm: 'any', sized: true, undefinedFlags: AF });
add({ name: 'test AL,Ib', opcode: [0xa8], imm: 1, undefinedFlags: AF });
add({ name: 'test eAX,Iz', opcode: [0xa9], imm: 'z', sized: true, undefinedFlags: AF });
add({ name: 'movsxd Gv,Ed', opcode: [0x63], modrm: 'any', sized: true, no16: true });
add({ name: 'imul Gv,Ev,Iz', opcode: [0x69], modrm: 'any', imm: 'z', sized: true, undefinedFlags: SF | ZF | AF | PF });
add({ name: 'imul Gv,Ev,Ib', opcode: [0x6b], modrm: 'any', imm: 1, sized: true, undefinedFlags: SF | ZF | AF | PF });
add({ name: 'imul Gv,Ev', opcode: [0x0f, 0xaf], modrm: 'any', sized: true, undefinedFlags: SF | ZF | AF | PF });
add({ name: 'cbw', opcode: [0x98], sized: true });
add({ name: 'cwd', opcode: [0x99], sized: true });
add({ name: 'sahf', opcode: [0x9e] });
add({ name: 'lahf', opcode: [0x9f] });
add({ name: 'cmc', opcode: [0xf5] });
add({ name: 'clc', opcode: [0xf8] });
add({ name: 'stc', opcode: [0xf9] });
add({ name: 'cld', opcode: [0xfc] });
add({ name: 'std', opcode: [0xfd] });
add({ name: 'xlat', opcode: [0xd7] });

// Stack.
add({ name: 'push reg', opcode: [0x50], plusReg: true, sized: true });
add({ name: 'pop reg', opcode: [0x58], plusReg: true, sized: true });
add({ name: 'push Iz', opcode: [0x68], imm: 'z', sized: true });
add({ name: 'push Ib', opcode: [0x6a], imm: 1, sized: true });
add({ name: 'leave', opcode: [0xc9], sized: true });
add({ name: 'enter', opcode: [0xc8], imm: 3 });
add({ name: 'ret', opcode: [0xc3] });
add({ name: 'ret Iw', opcode: [0xc2], imm: 2 });

// Branches; targets stay in the code page, which is full of int3.
for (let cc = 0; cc < 16; cc++) {
  add({ name: `jcc/${cc} Jb`, opcode: [0x70 + cc], imm: 1, branch: true });
  add({ name: `jcc/${cc} Jz`, opcode: [0x0f, 0x80 + cc], imm: 4, branch: true });
  add({ name: `setcc/${cc} Eb`, opcode: [0x0f, 0x90 + cc], modrm: 'any' });
  add({ name: `cmovcc/${cc} Gv,Ev`, opcode: [0x0f, 0x40 + cc], modrm: 'any', sized: true });
}
add({ name: 'jmp Jb', opcode: [0xeb], imm: 1, branch: true });
add({ name: 'jmp Jz', opcode: [0xe9], imm: 4, branch: true });
add({ name: 'call Jz', opcode: [0xe8], imm: 4, branch: true });
['loopne', 'loope', 'loop', 'jrcxz'].forEach((name, i) => {
  add({ name, opcode: [0xe0 + i], imm: 1, branch: true });
});

// 0F: extensions, bits, atomics.
add({ name: 'movzx Gv,Eb', opcode: [0x0f, 0xb6], modrm: 'any', sized: true });
add({ name: 'movzx Gv,Ew', opcode: [0x0f, 0xb7], modrm: 'any', sized: true });
add({ name: 'movsx Gv,Eb', opcode: [0x0f, 0xbe], modrm: 'any', sized: true });
add({ name: 'movsx Gv,Ew', opcode: [0x0f, 0xbf], modrm: 'any', sized: true });
['bt', 'bts', 'btr', 'btc'].forEach((name, i) => {
  const undefinedFlags = OF | SF | AF | PF;
  add({ name: `${name} Ev,Gv`, opcode: [0x0f, 0xa3 + 8 * i], modrm: 'any', sized: true, undefinedFlags, lock: i > 0 });
  add({ name: `${name} Ev,Ib`, opcode: [0x0f, 0xba], modrm: 'any', digit: 4 + i, imm: 1, sized: true, undefinedFlags, lock: i > 0 });
});
add({ name: 'bsf Gv,Ev', opcode: [0x0f, 0xbc], modrm: 'any', sized: true, undefinedFlags: ALL & ~ZF });
add({ name: 'bsr Gv,Ev', opcode: [0x0f, 0xbd], modrm: 'any', sized: true, undefinedFlags: ALL & ~ZF });
add({ name: 'shld Ib', opcode: [0x0f, 0xa4], modrm: 'any', imm: 1, sized: true, shift: 'double' });
add({ name: 'shld CL', opcode: [0x0f, 0xa5], modrm: 'any', sized: true, shift: 'double' });
add({ name: 'shrd Ib', opcode: [0x0f, 0xac], modrm: 'any', imm: 1, sized: true, shift: 'double' });
add({ name: 'shrd CL', opcode: [0x0f, 0xad], modrm: 'any', sized: true, shift: 'double' });
add({ name: 'cmpxchg Eb,Gb', opcode: [0x0f, 0xb0], modrm: 'any', lock: true });
add({ name: 'cmpxchg Ev,Gv', opcode: [0x0f, 0xb1], modrm: 'any', sized: true, lock: true });
add({ name: 'xadd Eb,Gb', opcode: [0x0f, 0xc0], modrm: 'any', lock: true });
add({ name: 'xadd Ev,Gv', opcode: [0x0f, 0xc1], modrm: 'any', sized: true, lock: true });
add({ name: 'cmpxchg8b/16b', opcode: [0x0f, 0xc7], modrm: 'mem', digit: 1, sized: true, lock: true });
add({ name: 'bswap', opcode: [0x0f, 0xc8], plusReg: true });
add({ name: 'nop Ev', opcode: [0x0f, 0x1f], modrm: 'any', digit: 0, sized: true });
add({ name: 'ud2', opcode: [0x0f, 0x0b] });

// Strings.
for (const [opcode, name] of [
  [0xa4, 'movs'],
  [0xaa, 'stos'],
  [0xac, 'lods'],
] as const) {
  add({ name: `${name}b`, opcode: [opcode], rep: 'rep' });
  add({ name: `${name}v`, opcode: [opcode + 1], sized: true, rep: 'rep' });
}
for (const [opcode, name] of [
  [0xa6, 'cmps'],
  [0xae, 'scas'],
] as const) {
  add({ name: `${name}b`, opcode: [opcode], rep: 'repcc' });
  add({ name: `${name}v`, opcode: [opcode + 1], sized: true, rep: 'repcc' });
}

// Privileged at CPL 3.
add({ name: 'hlt', opcode: [0xf4] });
add({ name: 'cli', opcode: [0xfa] });
add({ name: 'in AL,DX', opcode: [0xec] });
add({ name: 'out DX,eAX', opcode: [0xef], sized: true });
add({ name: 'mov cr', opcode: [0x0f, 0x20], modrm: 'reg', digit: 0 });
add({ name: 'wrmsr', opcode: [0x0f, 0x30] });
add({ name: 'lgdt', opcode: [0x0f, 0x01], modrm: 'mem', digit: 2 });
add({ name: 'invalid in 64-bit mode', opcode: [0x06] });
add({ name: 'aaa in 64-bit mode', opcode: [0x37] });

export const integerForms: readonly Form[] = forms;

/** Every form that the tester knows. */
export const allForms: readonly Form[] = [...integerForms, ...sseForms, ...x87Forms];
