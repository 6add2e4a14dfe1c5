/** SSE3, SSSE3, SSE4.1, SSE4.2 and POPCNT: what x86-64-v2 has beyond the baseline. FISTTP is among the x87 forms. */
import type { Form } from './form';

const forms: Form[] = [];
type Prefix = 'none' | '66' | 'f3' | 'f2';
const mandatory = { none: undefined, '66': 0x66, f3: 0xf3, f2: 0xf2 } as const;

function add(map: readonly number[], opcode: number, prefixes: readonly Prefix[], extra: Partial<Form> = {}): void {
  for (const prefix of prefixes) {
    const byte = mandatory[prefix];
    const bytes = [...map, opcode].map((each) => each.toString(16).padStart(2, '0')).join(' ');
    forms.push({
      name: `sse ${prefix} ${bytes}`,
      opcode: [...map, opcode],
      modrm: 'any',
      fpu: true,
      ...(prefix === 'none' ? { makers: 'mmx-memory' as const } : {}),
      ...(byte === undefined ? {} : { mandatory: byte }),
      ...extra,
    });
  }
}

const two = [0x0f];
const map38 = [0x0f, 0x38];
const map3A = [0x0f, 0x3a];
const span = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);

// SSE3
add(two, 0x12, ['f3', 'f2']);
add(two, 0x16, ['f3']);
for (const opcode of [0x7c, 0x7d, 0xd0]) add(two, opcode, ['66', 'f2']);
add(two, 0xf0, ['f2'], { modrm: 'mem' });
// SSSE3
for (const opcode of [...span(0x00, 0x0b), 0x1c, 0x1d, 0x1e]) add(map38, opcode, ['none', '66']);
add(map3A, 0x0f, ['none', '66'], { imm: 1, immediates: span(0, 34) });
// SSE4.1
for (const opcode of [0x10, 0x14, 0x15, 0x17, 0x28, 0x29, 0x2b, 0x40, 0x41]) add(map38, opcode, ['66']);
for (const opcode of [...span(0x20, 0x25), ...span(0x30, 0x35), ...span(0x38, 0x3f)]) add(map38, opcode, ['66']);
add(map38, 0x2a, ['66'], { modrm: 'mem' });
for (const opcode of span(0x08, 0x0e)) add(map3A, opcode, ['66'], { imm: 1 });
for (const opcode of [0x14, 0x15, 0x17, 0x20, 0x21]) add(map3A, opcode, ['66'], { imm: 1 });
for (const opcode of [0x16, 0x22]) add(map3A, opcode, ['66'], { imm: 1, rexW: true });
for (const opcode of [0x40, 0x41, 0x42]) add(map3A, opcode, ['66'], { imm: 1 });
// SSE4.2
add(map38, 0x37, ['66']);
for (const opcode of [0x60, 0x61]) add(map3A, opcode, ['66'], { imm: 1, rexW: true, text: true });
for (const opcode of [0x62, 0x63]) add(map3A, opcode, ['66'], { imm: 1, text: true });
forms.push({ name: 'crc32 Gd,Eb', mandatory: 0xf2, opcode: [0x0f, 0x38, 0xf0], modrm: 'any', rexW: true });
forms.push({ name: 'crc32 Gd,Ev', mandatory: 0xf2, opcode: [0x0f, 0x38, 0xf1], modrm: 'any', sized: true });
forms.push({ name: 'popcnt Gv,Ev', mandatory: 0xf3, opcode: [0x0f, 0xb8], modrm: 'any', sized: true });

export const v2Forms: readonly Form[] = forms;
