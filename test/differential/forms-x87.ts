/**
 * x87 forms. The transcendental functions are compared to within one unit in the last place, since vendors differ there. The instruction and data
 * pointers that FSTENV and FSAVE store are not compared. FLDCW, FLDENV and FRSTOR unmask exceptions at random.
 */
import type { Form } from './form';
import { X87_IMAGES } from './pattern';

const forms: Form[] = [];
/** C0, C2 and C3 are left undefined by most instructions. */
const CONDITION = 0x4500;

const memoryNames: readonly (readonly string[])[] = [
  ['fadd m32', 'fmul m32', 'fcom m32', 'fcomp m32', 'fsub m32', 'fsubr m32', 'fdiv m32', 'fdivr m32'],
  ['fld m32', '', 'fst m32', 'fstp m32', '', 'fldcw', '', 'fnstcw'],
  ['fiadd m32', 'fimul m32', 'ficom m32', 'ficomp m32', 'fisub m32', 'fisubr m32', 'fidiv m32', 'fidivr m32'],
  ['fild m32', 'fisttp m32', 'fist m32', 'fistp m32', '', 'fld m80', '', 'fstp m80'],
  ['fadd m64', 'fmul m64', 'fcom m64', 'fcomp m64', 'fsub m64', 'fsubr m64', 'fdiv m64', 'fdivr m64'],
  ['fld m64', 'fisttp m64', 'fst m64', 'fstp m64', '', '', '', 'fnstsw'],
  ['fiadd m16', 'fimul m16', 'ficom m16', 'ficomp m16', 'fisub m16', 'fisubr m16', 'fidiv m16', 'fidivr m16'],
  ['fild m16', 'fisttp m16', 'fist m16', 'fistp m16', 'fbld', 'fild m64', 'fbstp', 'fistp m64'],
];
memoryNames.forEach((names, row) => {
  names.forEach((name, digit) => {
    if (!name) return;
    const compares = name.includes('com');
    const ten = name === 'fstp m80' || name === 'fbstp' ? { image: 'ten' as const, makers: 'partial-store' as const } : {};
    forms.push({ name, opcode: [0xd8 + row], modrm: 'mem', digit, fpu: true, undefinedFsw: compares ? 0 : CONDITION, ...ten });
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

/** Alias encodings that current manuals no longer list. */
const aliases: readonly (readonly [number, number, string])[] = [
  [0xd9, 0xd8, 'fstp1'],
  [0xdc, 0xd0, 'fcom2'],
  [0xdc, 0xd8, 'fcomp3'],
  [0xdd, 0xc8, 'fxch4'],
  [0xde, 0xd0, 'fcomp5'],
  [0xdf, 0xc0, 'ffreep'],
  [0xdf, 0xc8, 'fxch7'],
  [0xdf, 0xd0, 'fstp8'],
  [0xdf, 0xd8, 'fstp9'],
];
for (const [first, modrm, name] of aliases) {
  forms.push({ name, opcode: [first, modrm], plusReg: true, fpu: true, undefinedFsw: definesCondition(name) ? 0 : CONDITION });
}
for (const [modrm, name] of [
  [0xe0, 'fneni'],
  [0xe1, 'fndisi'],
  [0xe4, 'fnsetpm'],
] as const) {
  forms.push({ name, opcode: [0xdb, modrm], fpu: true });
}

const C0_C3 = 0x4100;
/** Which way the last place was rounded. */
const C1 = 0x0200;
const transcendental: readonly (readonly [number, string])[] = [
  [0xf0, 'f2xm1'],
  [0xf1, 'fyl2x'],
  [0xf2, 'fptan'],
  [0xf3, 'fpatan'],
  [0xf9, 'fyl2xp1'],
  [0xfb, 'fsincos'],
  [0xfe, 'fsin'],
  [0xff, 'fcos'],
];
/** Magnitudes of ST(0) beyond which the result is undefined. */
const domains: Readonly<Record<string, number>> = { f2xm1: 1, fyl2xp1: 1 - Math.SQRT1_2 };
for (const [modrm, name] of transcendental) {
  const reduces = /sin|cos|tan/.test(name) && name !== 'fpatan';
  const undefinedFsw = C0_C3 | C1 | (reduces ? 0 : CONDITION);
  forms.push({
    name,
    opcode: [0xd9, modrm],
    fpu: true,
    approximate: 'x87',
    undefinedFsw,
    ...(domains[name] === undefined ? {} : { domain: domains[name] }),
  });
}

const environment = { 16: X87_IMAGES, 32: X87_IMAGES, 64: X87_IMAGES };
const image = { modrm: 'mem', fpu: true, sized: '66', makers: 'any-byte' } as const;
forms.push({ name: 'fldenv', opcode: [0xd9], digit: 4, ...image, aim: environment });
forms.push({ name: 'fnstenv', opcode: [0xd9], digit: 6, ...image, image: 'x87' });
forms.push({ name: 'frstor', opcode: [0xdd], digit: 4, ...image, aim: environment });
forms.push({ name: 'fnsave', opcode: [0xdd], digit: 6, ...image, image: 'x87' });

export const x87Forms: readonly Form[] = forms;
