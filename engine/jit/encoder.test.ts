import { describe, expect, it } from 'vitest';
import { Bytes, Code, I32, I64 } from './encoder';
import { moduleOf } from './module';

describe('numbers in WebAssembly code', () => {
  it('are encoded as the specification says', () => {
    const encode = (write: (bytes: Bytes) => void): number[] => {
      const bytes = new Bytes();
      write(bytes);
      return [...bytes.view()];
    };
    expect(encode((bytes) => bytes.u32(624485))).toEqual([0xe5, 0x8e, 0x26]);
    expect(encode((bytes) => bytes.s32(-123456))).toEqual([0xc0, 0xbb, 0x78]);
    expect(encode((bytes) => bytes.s32(64))).toEqual([0xc0, 0]);
    expect(encode((bytes) => bytes.s64(-0x8000000000000000n))).toEqual([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]);
  });

  it('come out again', () => {
    const values = [0n, 1n, -1n, 0x7fffffffn, -0x80000000n, 0x80000000n, 0x7fffffffffffffffn, -0x8000000000000000n, 0x0123456789abcdefn];
    for (const value of values) {
      const code = new Code();
      code.i64Const(value);
      code.get(0);
      code.i64Xor();
      const module = moduleOf({ imports: [], helpers: [] }, { parameters: [I64], results: [I64] }, [[1, I32]], code);
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
      const { region } = new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } }).exports;
      expect((region as (x: bigint) => bigint)(0x5555n)).toBe(value ^ 0x5555n);
    }
  });
});
