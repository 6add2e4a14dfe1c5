/**
 * MMX, SSE and SSE2 forms. RCP and RSQRT, which each vendor approximates differently, are compared to within the error that the manual allows. The
 * x87 pointers, MXCSR_MASK and reserved bytes that FXSAVE stores are not compared.
 */
import type { Form } from './form';

const forms: Form[] = [];
type Prefix = 'none' | '66' | 'f3' | 'f2';
const mandatory = { none: undefined, '66': 0x66, f3: 0xf3, f2: 0xf2 } as const;

/** Has MMX registers in this encoding. */
const usesMmx = (opcode: number, prefix: Prefix): boolean => {
  if (prefix === '66') return opcode === 0x2a;
  return prefix === 'none' && ((opcode >= 0x60 && opcode < 0x80) || opcode >= 0xc4 || [0x2a, 0x2c, 0x2d].includes(opcode));
};

function add(opcode: number, prefixes: readonly Prefix[], extra: Partial<Form> = {}): void {
  for (const prefix of prefixes) {
    const byte = mandatory[prefix];
    forms.push({
      name: `sse ${prefix} 0f ${opcode.toString(16).padStart(2, '0')}${extra.digit === undefined ? '' : `/${extra.digit}`}`,
      opcode: [0x0f, opcode],
      modrm: 'any',
      fpu: true,
      ...(usesMmx(opcode, prefix) ? { makers: 'mmx-memory' as const } : {}),
      ...(byte === undefined ? {} : { mandatory: byte }),
      ...extra,
    });
  }
}

const all: readonly Prefix[] = ['none', '66', 'f3', 'f2'];
const packed: readonly Prefix[] = ['none', '66'];

for (const opcode of [0x10, 0x11, 0x51, 0x58, 0x59, 0x5a, 0x5c, 0x5d, 0x5e, 0x5f]) add(opcode, all);
add(0x12, ['none']);
add(0x12, ['66'], { modrm: 'mem' });
add(0x16, ['none']);
add(0x16, ['66'], { modrm: 'mem' });
for (const opcode of [0x13, 0x17, 0x2b]) add(opcode, packed, { modrm: 'mem' });
for (const opcode of [0x14, 0x15, 0x28, 0x29, 0x54, 0x55, 0x56, 0x57]) add(opcode, packed);
for (const opcode of [0x2e, 0x2f]) add(opcode, packed);
add(0x2a, packed);
add(0x2a, ['f3', 'f2'], { rexW: true });
for (const opcode of [0x2c, 0x2d]) {
  add(opcode, packed);
  add(opcode, ['f3', 'f2'], { rexW: true });
}
add(0x50, packed, { modrm: 'reg' });
add(0x5b, ['none', '66', 'f3']);
for (let opcode = 0x60; opcode <= 0x6b; opcode++) add(opcode, packed);
for (const opcode of [0x6c, 0x6d]) add(opcode, ['66']);
add(0x6e, packed, { rexW: true });
add(0x6f, ['none', '66', 'f3']);
add(0x70, all, { imm: 1 });
for (const [opcode, digits] of [
  [0x71, [2, 4, 6]],
  [0x72, [2, 4, 6]],
  [0x73, [2, 6]],
] as const) {
  for (const digit of digits) add(opcode, packed, { modrm: 'reg', digit, imm: 1 });
}
for (const digit of [3, 7]) add(0x73, ['66'], { modrm: 'reg', digit, imm: 1 });
for (const opcode of [0x74, 0x75, 0x76]) add(opcode, packed);
forms.push({ name: 'sse emms', opcode: [0x0f, 0x77], fpu: true });
add(0x7e, packed, { rexW: true });
add(0x7e, ['f3']);
add(0x7f, ['none', '66', 'f3']);
add(0xc2, all, { imm: 1 });
add(0xc3, ['none'], { modrm: 'mem', rexW: true });
add(0xc4, packed, { imm: 1 });
add(0xc5, packed, { modrm: 'reg', imm: 1 });
add(0xc6, packed, { imm: 1 });
for (let opcode = 0xd1; opcode <= 0xfe; opcode++) {
  if ([0xd6, 0xd7, 0xe6, 0xe7, 0xf0, 0xf7].includes(opcode)) continue;
  add(opcode, packed);
}
add(0xd6, ['66']);
add(0xd6, ['f3', 'f2'], { modrm: 'reg' });
add(0xd7, packed, { modrm: 'reg' });
add(0xe6, ['66', 'f3', 'f2']);
add(0xe7, packed, { modrm: 'mem' });
add(0xf7, packed, { modrm: 'reg', makers: 'any-byte' });
add(0xae, ['none'], { modrm: 'mem', digit: 2 });
add(0xae, ['none'], { modrm: 'mem', digit: 3 });
add(0xae, ['none'], { modrm: 'mem', digit: 7 });
for (const digit of [5, 6, 7]) add(0xae, ['none'], { modrm: 'reg', digit });
add(0x52, ['none', 'f3'], { approximate: 'xmm' });
add(0x53, ['none', 'f3'], { approximate: 'xmm' });
add(0xae, ['none'], { modrm: 'mem', digit: 0, rexW: true, image: 'fx', makers: 'any-byte' });
add(0xae, ['none'], { modrm: 'mem', digit: 1, rexW: true, aim: 'fx', makers: 'any-byte' });

export const sseForms: readonly Form[] = forms;
