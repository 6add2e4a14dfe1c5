/** The instruction forms that the differential tester draws from, as encodings with the flags they leave undefined. */
import { FLAG } from './case';
import type { Form } from './form';
import { sseForms } from './forms-sse';
import { v2Forms } from './forms-v2';
import { x87Forms } from './forms-x87';
import { BOUNDS, DATA_POINTER, FAR_POINTER, SELECTOR } from './pattern';

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
  const size = byte ? {} : { sized: true as const };
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
add({ name: 'call Ev', opcode: [0xff], modrm: 'any', digit: 2, sized: 'legacy', stackSized: true, makers: 'below-stack' });
add({ name: 'jmp Ev', opcode: [0xff], modrm: 'any', digit: 4, sized: 'legacy', stackSized: true });
add({ name: 'call Mp', opcode: [0xff], modrm: 'mem', digit: 3, sized: '66', aim: FAR_POINTER, makers: 'below-stack' });
add({ name: 'jmp Mp', opcode: [0xff], modrm: 'mem', digit: 5, sized: '66', aim: FAR_POINTER });
add({ name: 'push Ev', opcode: [0xff], modrm: 'any', digit: 6, sized: true });
add({ name: 'pop Ev', opcode: [0x8f], modrm: 'any', digit: 0, sized: true });

// Moves.
add({ name: 'mov Eb,Gb', opcode: [0x88], modrm: 'any' });
add({ name: 'mov Ev,Gv', opcode: [0x89], modrm: 'any', sized: true });
add({ name: 'mov Gb,Eb', opcode: [0x8a], modrm: 'any' });
add({ name: 'mov Gv,Ev', opcode: [0x8b], modrm: 'any', sized: true });
for (let digit = 0; digit < 6; digit++) add({ name: `mov Ev,Sw/${digit}`, opcode: [0x8c], modrm: 'any', digit, sized: true });
for (const digit of [0, 1, 2, 3, 4, 5, 6])
  add({ name: `mov Sw,Ew/${digit}`, opcode: [0x8e], modrm: 'any', digit, sized: true, selector: true, aim: SELECTOR });
for (const [i, name] of ['mov AL,Ob', 'mov eAX,Ov', 'mov Ob,AL', 'mov Ov,eAX'].entries())
  add({ name, opcode: [0xa0 + i], imm: 'a', ...(i & 1 ? { sized: true as const } : {}) });
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
add({ name: 'movsxd Gv,Ed', opcode: [0x63], modrm: 'any', sized: true, no16: true, only: 'long' });
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
add({ name: 'enter', opcode: [0xc8], imm: 3, sized: '66' });
add({ name: 'ret', opcode: [0xc3], sized: 'legacy', stackSized: true, stack: 'return' });
add({ name: 'ret Iw', opcode: [0xc2], imm: 2, sized: 'legacy', stackSized: true, stack: 'return' });
add({ name: 'retf', opcode: [0xcb], sized: true, stack: 'retf', makers: 'any-byte' });
add({ name: 'retf Iw', opcode: [0xca], imm: 2, sized: true, stack: 'retf', makers: 'any-byte' });
add({ name: 'iret', opcode: [0xcf], sized: true, stack: 'iret', makers: 'any-byte' });
add({ name: 'pushf', opcode: [0x9c], sized: true });
add({ name: 'popf', opcode: [0x9d], sized: true });
for (const [name, opcode] of [
  ['fs', 0xa0],
  ['gs', 0xa8],
] as const) {
  add({ name: `push ${name}`, opcode: [0x0f, opcode], sized: true, image: 'selector' });
  add({ name: `pop ${name}`, opcode: [0x0f, opcode + 1], sized: true });
}

// Branches; targets stay in the code page, which is full of int3.
for (let cc = 0; cc < 16; cc++) {
  add({ name: `jcc/${cc} Jb`, opcode: [0x70 + cc], imm: 1, branch: true });
  add({ name: `jcc/${cc} Jz`, opcode: [0x0f, 0x80 + cc], imm: 'z', sized: 'legacy', branch: true });
  add({ name: `setcc/${cc} Eb`, opcode: [0x0f, 0x90 + cc], modrm: 'any' });
  add({ name: `cmovcc/${cc} Gv,Ev`, opcode: [0x0f, 0x40 + cc], modrm: 'any', sized: true });
}
add({ name: 'jmp Jb', opcode: [0xeb], imm: 1, branch: true });
add({ name: 'jmp Jz', opcode: [0xe9], imm: 'z', sized: 'legacy', branch: true });
add({ name: 'call Jz', opcode: [0xe8], imm: 'z', sized: 'legacy', branch: true });
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
add({ name: 'cmpxchg8b/16b', opcode: [0x0f, 0xc7], modrm: 'mem', digit: 1, rexW: true, lock: true });
add({ name: 'bswap', opcode: [0x0f, 0xc8], plusReg: true, rexW: true });
for (let opcode = 0x18; opcode <= 0x1f; opcode++)
  add({ name: `nop ${opcode.toString(16)}`, opcode: [0x0f, opcode], modrm: 'any', sized: true });
add({ name: 'prefetchw', opcode: [0x0f, 0x0d], modrm: 'any' });
add({ name: 'pause', mandatory: 0xf3, opcode: [0x90], noRex: true });
add({ name: 'lar Gv,Ew', opcode: [0x0f, 0x02], modrm: 'any', sized: true, selector: true, aim: SELECTOR });
add({ name: 'lsl Gv,Ew', opcode: [0x0f, 0x03], modrm: 'any', sized: true, selector: true, aim: SELECTOR });
add({ name: 'verr Ew', opcode: [0x0f, 0x00], modrm: 'any', digit: 4, selector: true, aim: SELECTOR });
add({ name: 'verw Ew', opcode: [0x0f, 0x00], modrm: 'any', digit: 5, selector: true, aim: SELECTOR });
for (const [name, opcode] of [
  ['lss', 0xb2],
  ['lfs', 0xb4],
  ['lgs', 0xb5],
] as const)
  add({ name: `${name} Gv,Mp`, opcode: [0x0f, opcode], modrm: 'mem', sized: '66', aim: DATA_POINTER });
add({ name: 'int3', opcode: [0xcc] });
// INT 80h is the host kernel's system call.
add({ name: 'int Ib', opcode: [0xcd], imm: 1, immediates: [3, 4, 0, 5, 13, 14, 0x20, 0x7f], notImmediate: 0x80 });
add({ name: 'int1', opcode: [0xf1] });
add({ name: 'ud2', opcode: [0x0f, 0x0b] });

// Strings.
for (const [opcode, name] of [
  [0xa4, 'movs'],
  [0xaa, 'stos'],
  [0xac, 'lods'],
] as const) {
  const makers = name === 'movs' ? { makers: 'two-operands' as const } : {};
  add({ name: `${name}b`, opcode: [opcode], rep: 'rep', ...makers });
  add({ name: `${name}v`, opcode: [opcode + 1], sized: true, rep: 'rep', ...makers });
}
for (const [opcode, name] of [
  [0xa6, 'cmps'],
  [0xae, 'scas'],
] as const) {
  add({ name: `${name}b`, opcode: [opcode], rep: 'repcc', makers: 'two-operands' });
  add({ name: `${name}v`, opcode: [opcode + 1], sized: true, rep: 'repcc', makers: 'two-operands' });
}

// Privileged at CPL 3.
add({ name: 'hlt', opcode: [0xf4] });
add({ name: 'cli', opcode: [0xfa] });
add({ name: 'sti', opcode: [0xfb] });
for (const [i, name] of ['insb', 'insv', 'outsb', 'outsv'].entries()) {
  add({ name, opcode: [0x6c + i], rep: 'rep', ...(i & 1 ? { sized: true as const } : {}) });
}
for (const [i, name] of ['in AL', 'in eAX', 'out AL', 'out eAX'].entries()) {
  const sized = i & 1 ? { sized: true as const } : {};
  add({ name: `${name},Ib`, opcode: [0xe4 + i], imm: 1, ...sized });
  add({ name: `${name},DX`, opcode: [0xec + i], ...sized });
}
// Moves to and from CRn and DRn ignore the mod field.
for (const digit of [0, 2, 3, 4]) {
  add({ name: `mov reg,cr${digit}`, opcode: [0x0f, 0x20], modrm: 'any', digit });
  add({ name: `mov cr${digit},reg`, opcode: [0x0f, 0x22], modrm: 'any', digit });
}
add({ name: 'mov reg,cr8', opcode: [0x44, 0x0f, 0x20], modrm: 'reg', digit: 0, only: 'long' });
for (let digit = 0; digit < 8; digit++) {
  add({ name: `mov reg,dr${digit}`, opcode: [0x0f, 0x21], modrm: 'any', digit });
  add({ name: `mov dr${digit},reg`, opcode: [0x0f, 0x23], modrm: 'any', digit });
}
for (let opcode = 0x24; opcode < 0x28; opcode++) add({ name: `0f ${opcode.toString(16)}`, opcode: [0x0f, opcode], modrm: 'any' });
for (const [name, opcode] of [
  ['clts', 0x06],
  ['sysret', 0x07],
  ['invd', 0x08],
  ['wbinvd', 0x09],
  ['wrmsr', 0x30],
  ['rdmsr', 0x32],
  ['sysexit', 0x35],
] as const)
  add({ name, opcode: [0x0f, opcode] });
add({ name: 'lldt', opcode: [0x0f, 0x00], modrm: 'any', digit: 2, makers: 'privileged' });
add({ name: 'ltr', opcode: [0x0f, 0x00], modrm: 'any', digit: 3, makers: 'privileged' });
add({ name: 'lgdt', opcode: [0x0f, 0x01], modrm: 'mem', digit: 2, makers: 'privileged' });
add({ name: 'lidt', opcode: [0x0f, 0x01], modrm: 'mem', digit: 3, makers: 'privileged' });
add({ name: 'lmsw', opcode: [0x0f, 0x01], modrm: 'any', digit: 6, makers: 'privileged' });
add({ name: 'invlpg', opcode: [0x0f, 0x01], modrm: 'mem', digit: 7, makers: 'privileged' });
add({ name: 'swapgs', opcode: [0x0f, 0x01, 0xf8], only: 'long' });
add({ name: 'ud0', opcode: [0x0f, 0xff], modrm: 'any' });
add({ name: 'ud1', opcode: [0x0f, 0xb9], modrm: 'any' });

// Removed in 64-bit mode, where they raise #UD.
const gone: readonly (readonly [string, number])[] = [
  ['push es', 0x06],
  ['pop es', 0x07],
  ['push cs', 0x0e],
  ['push ss', 0x16],
  ['pop ss', 0x17],
  ['push ds', 0x1e],
  ['pop ds', 0x1f],
  ['pusha', 0x60],
  ['popa', 0x61],
];
for (const [name, opcode] of gone) {
  const image = name.startsWith('push ') ? { image: 'selector' as const } : {};
  const makers = name === 'pusha' ? { makers: 'below-stack' as const } : name === 'popa' ? { makers: 'partial-pop' as const } : {};
  add({ name, opcode: [opcode], sized: 'legacy', ...image, ...makers });
}
add({ name: 'daa', opcode: [0x27], undefinedFlags: OF });
add({ name: 'das', opcode: [0x2f], undefinedFlags: OF });
add({ name: 'aaa', opcode: [0x37], undefinedFlags: OF | SF | ZF | PF });
add({ name: 'aas', opcode: [0x3f], undefinedFlags: OF | SF | ZF | PF });
add({ name: 'aam', opcode: [0xd4], imm: 1, immediates: [10, 10, 16, 7, 0], undefinedFlags: OF | AF | CF });
add({ name: 'aad', opcode: [0xd5], imm: 1, immediates: [10, 10, 16, 7, 0], undefinedFlags: OF | AF | CF });
add({ name: 'salc', opcode: [0xd6] });
add({ name: 'into', opcode: [0xce] });
add({ name: 'inc reg', opcode: [0x40], plusReg: true, sized: 'legacy', only: 'legacy' });
add({ name: 'dec reg', opcode: [0x48], plusReg: true, sized: 'legacy', only: 'legacy' });
add({ name: 'arpl Ew,Gw', opcode: [0x63], modrm: 'any', only: 'legacy', selector: true, aim: SELECTOR });
add({ name: 'bound Gv,Ma', opcode: [0x62], modrm: 'mem', sized: '66', only: 'legacy', aim: { ...BOUNDS, 64: 0 } });
add({ name: 'les Gv,Mp', opcode: [0xc4], modrm: 'mem', sized: '66', only: 'legacy', aim: DATA_POINTER });
add({ name: 'lds Gv,Mp', opcode: [0xc5], modrm: 'mem', sized: '66', only: 'legacy', aim: DATA_POINTER });
add({ name: 'call Ap', opcode: [0x9a], imm: 'p', sized: '66', only: 'legacy', makers: 'below-stack' });
add({ name: 'jmp Ap', opcode: [0xea], imm: 'p', sized: '66', only: 'legacy' });
['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'].forEach((name, digit) => {
  const undefinedFlags = ['or', 'and', 'xor'].includes(name) ? AF : 0;
  add({ name: `82 ${name} Eb,Ib`, opcode: [0x82], modrm: 'any', digit, imm: 1, undefinedFlags, lock: name !== 'cmp', only: 'legacy' });
});

export const integerForms: readonly Form[] = forms;

/** Every form that the tester knows. */
export const allForms: readonly Form[] = [...integerForms, ...sseForms, ...v2Forms, ...x87Forms];
