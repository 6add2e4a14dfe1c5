/**
 * x87 forms. Left out: the transcendental functions (makers differ in the last bits), FSTENV and FSAVE (their image holds pointers), and
 * loads of a control word or environment, which unmask exceptions at random.
 */
import type { Form } from './forms';

const forms: Form[] = [];
/** C0, C2 and C3 are left undefined by most instructions. */
const CONDITION = 0x4500;

const memoryNames: readonly (readonly string[])[] = [
  ['fadd m32', 'fmul m32', 'fcom m32', 'fcomp m32', 'fsub m32', 'fsubr m32', 'fdiv m32', 'fdivr m32'],
  ['fld m32', '', 'fst m32', 'fstp m32', '', '', '', 'fnstcw'],
  ['fiadd m32', 'fimul m32', 'ficom m32', 'ficomp m32', 'fisub m32', 'fisubr m32', 'fidiv m32', 'fidivr m32'],
  ['fild m32', '', 'fist m32', 'fistp m32', '', 'fld m80', '', 'fstp m80'],
  ['fadd m64', 'fmul m64', 'fcom m64', 'fcomp m64', 'fsub m64', 'fsubr m64', 'fdiv m64', 'fdivr m64'],
  ['fld m64', '', 'fst m64', 'fstp m64', '', '', '', 'fnstsw'],
  ['fiadd m16', 'fimul m16', 'ficom m16', 'ficomp m16', 'fisub m16', 'fisubr m16', 'fidiv m16', 'fidivr m16'],
  ['fild m16', '', 'fist m16', 'fistp m16', 'fbld', 'fild m64', 'fbstp', 'fistp m64'],
];
memoryNames.forEach((names, row) => {
  names.forEach((name, digit) => {
    if (!name) return;
    const compares = name.includes('com');
    forms.push({ name, opcode: [0xd8 + row], modrm: 'mem', digit, fpu: true, undefinedFsw: compares ? 0 : CONDITION });
  });
});

/** Register forms: escape byte, ModRM byte (its low bits are the register for the eight at once), name. */
const eight: readonly (readonly [number, number, string])[] = [
  [0xd8, 0xc0, 'fadd st,sti'],
  [0xd8, 0xc8, 'fmul st,sti'],
  [0xd8, 0xd0, 'fcom sti'],
  [0xd8, 0xd8, 'fcomp sti'],
  [0xd8, 0xe0, 'fsub st,sti'],
  [0xd8, 0xe8, 'fsubr st,sti'],
  [0xd8, 0xf0, 'fdiv st,sti'],
  [0xd8, 0xf8, 'fdivr st,sti'],
  [0xd9, 0xc0, 'fld sti'],
  [0xd9, 0xc8, 'fxch'],
  [0xda, 0xc0, 'fcmovb'],
  [0xda, 0xc8, 'fcmove'],
  [0xda, 0xd0, 'fcmovbe'],
  [0xda, 0xd8, 'fcmovu'],
  [0xdb, 0xc0, 'fcmovnb'],
  [0xdb, 0xc8, 'fcmovne'],
  [0xdb, 0xd0, 'fcmovnbe'],
  [0xdb, 0xd8, 'fcmovnu'],
  [0xdb, 0xe8, 'fucomi'],
  [0xdb, 0xf0, 'fcomi'],
  [0xdc, 0xc0, 'fadd sti,st'],
  [0xdc, 0xc8, 'fmul sti,st'],
  [0xdc, 0xe0, 'fsubr sti,st'],
  [0xdc, 0xe8, 'fsub sti,st'],
  [0xdc, 0xf0, 'fdivr sti,st'],
  [0xdc, 0xf8, 'fdiv sti,st'],
  [0xdd, 0xc0, 'ffree'],
  [0xdd, 0xd0, 'fst sti'],
  [0xdd, 0xd8, 'fstp sti'],
  [0xdd, 0xe0, 'fucom'],
  [0xdd, 0xe8, 'fucomp'],
  [0xde, 0xc0, 'faddp'],
  [0xde, 0xc8, 'fmulp'],
  [0xde, 0xe0, 'fsubrp'],
  [0xde, 0xe8, 'fsubp'],
  [0xde, 0xf0, 'fdivrp'],
  [0xde, 0xf8, 'fdivp'],
  [0xdf, 0xe8, 'fucomip'],
  [0xdf, 0xf0, 'fcomip'],
];
const definesCondition = (name: string) => /com/.test(name);
for (const [first, modrm, name] of eight) {
  forms.push({ name, opcode: [first, modrm], plusReg: true, fpu: true, undefinedFsw: definesCondition(name) ? 0 : CONDITION });
}

const single: readonly (readonly [number, number, string])[] = [
  [0xd9, 0xd0, 'fnop'],
  [0xd9, 0xe0, 'fchs'],
  [0xd9, 0xe1, 'fabs'],
  [0xd9, 0xe4, 'ftst'],
  [0xd9, 0xe5, 'fxam'],
  [0xd9, 0xe8, 'fld1'],
  [0xd9, 0xe9, 'fldl2t'],
  [0xd9, 0xea, 'fldl2e'],
  [0xd9, 0xeb, 'fldpi'],
  [0xd9, 0xec, 'fldlg2'],
  [0xd9, 0xed, 'fldln2'],
  [0xd9, 0xee, 'fldz'],
  [0xd9, 0xf4, 'fxtract'],
  [0xd9, 0xf5, 'fprem1'],
  [0xd9, 0xf6, 'fdecstp'],
  [0xd9, 0xf7, 'fincstp'],
  [0xd9, 0xf8, 'fprem'],
  [0xd9, 0xfa, 'fsqrt'],
  [0xd9, 0xfc, 'frndint'],
  [0xd9, 0xfd, 'fscale'],
  [0xda, 0xe9, 'fucompp'],
  [0xdb, 0xe2, 'fnclex'],
  [0xdb, 0xe3, 'fninit'],
  [0xde, 0xd9, 'fcompp'],
  [0xdf, 0xe0, 'fnstsw ax'],
];
const exact = ['ftst', 'fxam', 'fprem1', 'fprem', 'fninit', 'fnstsw ax'];
for (const [first, modrm, name] of single) {
  forms.push({ name, opcode: [first, modrm], fpu: true, undefinedFsw: definesCondition(name) || exact.includes(name) ? 0 : CONDITION });
}
forms.push({ name: 'fwait', opcode: [0x9b], fpu: true });

export const x87Forms: readonly Form[] = forms;
