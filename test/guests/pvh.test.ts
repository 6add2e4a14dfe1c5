/** An ELF with the Xen PHYS32_ENTRY note is entered there, regardless of its class and its ELF entry. */
import { expect, it } from 'vitest';
import { le32, pvhElf } from '../support/pvh-elf';
import { Guest } from './harness';

const AT = 0x200000;
const HERE = 0x200006;
const out = [0x66, 0xba, 0xf8, 0x03, 0xee]; // mov dx, 0x3f8; out dx, al

/** Prints E at its ELF entry; at its PVH entry P, the first letter of the command line, and the length of the module. */
const code = Uint8Array.from([
  ...[0xb0, 0x45, 0xeb, 0x02, 0x90, 0x90], // mov al, 'E'; jmp print
  ...[0xb0, 0x50, ...out], // PVH entry: mov al, 'P'; print: out
  ...[0x81, 0x3b, ...le32(0x336ec578), 0x75, 0xfe], // cmp [ebx], magic; jne $
  ...[0x8b, 0x73, 24, 0x8a, 0x06, ...out], // mov esi, [ebx + 24]; mov al, [esi]
  ...[0x8b, 0x73, 16, 0x8a, 0x46, 8, ...out, 0xf4], // mov esi, [ebx + 16]; mov al, [esi + 8]; hlt
]);

it.each([32, 64] as const)('%s-bit ELF', async (bits) => {
  const kernel = pvhElf({ bits, at: AT, code, entry: AT, notes: [['Xen', 18, bits === 64 ? [...le32(HERE), 0, 0, 0, 0] : le32(HERE)]] });
  const guest = await Guest.boot({ guest: { name: 'pvh', kernel, append: 'command line', initrd: new Uint8Array(0x21) } });
  expect(guest.until('!')).toBe('Pc!');
});
