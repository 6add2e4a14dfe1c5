/** Every handler of the interpreter's big switch, in the order of their numbers. */
import {
  address,
  bits,
  branch,
  DST,
  flags,
  immediate,
  memoryType,
  modifyRead,
  modifyWrite,
  NEXT,
  names,
  readMemory,
  readRegister,
  SIZES,
  type Size,
  SRC,
  signed,
  wrap,
  writeMemory,
  writeRegister,
} from './templates';

export interface Handler {
  name: string;
  body: string;
}

/** Condition codes that a compare and its branch are joined for, in the order of the joined handlers. */
export const COMPARE_CONDITIONS = [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15] as const;
/** Z NZ S NS LE G: what remains of the condition codes after TEST. */
export const LOGIC_CONDITIONS = [4, 5, 8, 9, 14, 15] as const;
/** Z NZ S NS: depend on the result alone. */
export const RESULT_CONDITIONS = [4, 5, 8, 9] as const;

export const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'] as const;
type Alu = (typeof ALU)[number];
/** Operand forms: registers, immediate, [base+disp] source, [base+index+disp] source, memory target. */
export const ALU_FORMS = ['rr', 'ri', 'rm', 'rx', 'mr', 'mi'] as const;
type Form = (typeof ALU_FORMS)[number];
export const JOIN_SIZES: readonly Size[] = [0, 2, 3];

/** First and second operand into their locals. `modify`: a memory target is going to be written. */
function operands(form: Form, size: Size, modify: boolean): string {
  const { a, b, type } = names(size);
  const first = `${a} = ${readRegister(size, 'R_DST')};`;
  if (form === 'rr') return `${first} ${b} = ${readRegister(size, 'R_SRC')};`;
  if (form === 'ri') return `${first} ${b} = ${immediate(size)};`;
  if (form === 'rm' || form === 'rx') return `${address(form === 'rx')} ${readMemory(size, b, type)} ${first}`;
  const second = `${b} = ${form === 'mr' ? readRegister(size, 'R_SRC') : immediate(size)};`;
  return `${address(true)} ${modify ? modifyRead(size, a, type) : readMemory(size, a, type)} ${second}`;
}

function compute(alu: Alu, size: Size): string {
  const { a, b, r, type } = names(size);
  const set = (text: string): string => `${r} = ${wrap(size, text)};`;
  switch (alu) {
    case 'add':
      return set(`${a} + ${b}`);
    case 'or':
      return set(`${a} | ${b}`);
    case 'and':
      return set(`${a} & ${b}`);
    case 'xor':
      return set(`${a} ^ ${b}`);
    case 'adc':
      return `n = <i32>carry(); ${set(`${a} + ${b} + <${type}>n`)}`;
    case 'sbb':
      return `n = <i32>carry(); ${set(`${a} - ${b} - <${type}>n`)}`;
    default:
      return set(`${a} - ${b}`);
  }
}

function aluFlags(alu: Alu, size: Size): string {
  const { a, b, r } = names(size);
  const top = bits(size) - 1;
  if (alu === 'add') return flags('ADD', size);
  if (alu === 'sub' || alu === 'cmp') return flags('SUB', size);
  if (alu === 'adc') {
    const cf = `u32(${r} < ${a} || (n != 0 && ${r} == ${a}))`;
    return flags('RES', size, `${cf} | (<u32>(${a} ^ ${b} ^ ${r}) & 16) | ((<u32>(((${a} ^ ${r}) & (${b} ^ ${r})) >> ${top}) & 1) << 11)`);
  }
  if (alu === 'sbb') {
    const cf = `u32(${a} < ${b} || (n != 0 && ${a} == ${b}))`;
    return flags('RES', size, `${cf} | (<u32>(${a} ^ ${b} ^ ${r}) & 16) | ((<u32>(((${a} ^ ${b}) & (${a} ^ ${r})) >> ${top}) & 1) << 11)`);
  }
  return flags('LOGIC', size);
}

function aluHandler(alu: Alu, form: Form, size: Size): Handler {
  const { r } = names(size);
  const memory = form === 'mr' || form === 'mi';
  const writes = alu !== 'cmp';
  const finish = !writes ? '' : memory ? modifyWrite(size, r) : writeRegister(size, 'R_DST', r);
  const body = `${operands(form, size, memory && writes)} ${compute(alu, size)} ${finish} ${aluFlags(alu, size)} ${NEXT}`;
  return { name: `${alu}_${form}${bits(size)}`, body };
}

function aluFamily(): Handler[] {
  return ALU.flatMap((alu) => ALU_FORMS.flatMap((form) => SIZES.map((size) => aluHandler(alu, form, size))));
}

/** Forms without flags, for results that nothing looks at before they are overwritten. */
export const QUIET_ALU = ['add', 'or', 'and', 'sub', 'xor'] as const;
function quietFamily(): Handler[] {
  return QUIET_ALU.flatMap((alu) =>
    (['rr', 'ri'] as const).flatMap((form) =>
      ([2, 3] as const).map((size) => ({
        name: `${alu}_${form}${bits(size)}_quiet`,
        body: `${operands(form, size, false)} ${compute(alu, size)} ${writeRegister(size, 'R_DST', names(size).r)} ${NEXT}`,
      })),
    ),
  );
}

export const TEST_FORMS = ['rr', 'ri', 'mr', 'mi'] as const;
function testFamily(): Handler[] {
  return TEST_FORMS.flatMap((form) =>
    SIZES.map((size) => ({
      name: `test_${form}${bits(size)}`,
      body: `${operands(form, size, false)} ${compute('and', size)} ${flags('LOGIC', size)} ${NEXT}`,
    })),
  );
}

/** inc dec neg not on a register or on memory. */
export const UNARY = ['inc', 'dec', 'neg', 'not'] as const;
function unaryFamily(): Handler[] {
  return UNARY.flatMap((op) =>
    (['r', 'm'] as const).flatMap((form) =>
      SIZES.map((size) => {
        const { a, r, type } = names(size);
        const load = form === 'r' ? `${a} = ${readRegister(size, 'R_DST')};` : `${address(true)} ${modifyRead(size, a, type)}`;
        const text = { inc: `${a} + 1`, dec: `${a} - 1`, neg: `0 - ${a}`, not: `~${a}` }[op];
        const keep = op === 'inc' || op === 'dec' ? 'n = <i32>carry();' : '';
        const save = form === 'r' ? writeRegister(size, 'R_DST', r) : modifyWrite(size, r);
        const set =
          op === 'not' ? '' : op === 'neg' ? `${a} = 0; ${flags('SUB', size)}` : flags(op === 'inc' ? 'INC' : 'DEC', size, '<u32>n');
        return { name: `${op}_${form}${bits(size)}`, body: `${load} ${keep} ${r} = ${wrap(size, text)}; ${save} ${set} ${NEXT}` };
      }),
    ),
  );
}

function moveFamily(): Handler[] {
  const list: Handler[] = [];
  for (const size of SIZES) {
    const { a, type } = names(size);
    const tag = bits(size);
    const loadIt = (indexed: boolean): string =>
      `${address(indexed)} ${readMemory(size, a, type)} ${writeRegister(size, 'R_DST', a)} ${NEXT}`;
    const storeIt = (indexed: boolean): string =>
      `${address(indexed)} ${a} = ${readRegister(size, 'R_SRC')}; ${writeMemory(size, a)} ${NEXT}`;
    list.push({ name: `mov_rr${tag}`, body: `${writeRegister(size, 'R_DST', readRegister(size, 'R_SRC'))} ${NEXT}` });
    list.push({ name: `mov_ri${tag}`, body: `${writeRegister(size, 'R_DST', immediate(size))} ${NEXT}` });
    list.push({ name: `mov_rm${tag}`, body: loadIt(false) });
    list.push({ name: `mov_rx${tag}`, body: loadIt(true) });
    list.push({ name: `mov_mr${tag}`, body: storeIt(false) });
    list.push({ name: `mov_xr${tag}`, body: storeIt(true) });
    list.push({ name: `mov_mi${tag}`, body: `${address(true)} ${a} = ${immediate(size)}; ${writeMemory(size, a)} ${NEXT}` });
  }
  return list;
}

/** movzx and movsx: [from, to]. A zero-extended 32-bit register is a 64-bit one, so movzx needs no 64-bit target. */
export const EXTEND = [
  ['movzx', 0, 1],
  ['movzx', 0, 2],
  ['movzx', 1, 2],
  ['movsx', 0, 1],
  ['movsx', 0, 2],
  ['movsx', 0, 3],
  ['movsx', 1, 2],
  ['movsx', 1, 3],
  ['movsx', 2, 3],
] as const;
function extendFamily(): Handler[] {
  return EXTEND.flatMap(([op, from, to]) => {
    const target = to === 3 ? 'x' : 'a';
    const type = to === 3 ? 'u64' : 'u32';
    const source = op === 'movzx' ? memoryType(from) : `i${bits(from)}`;
    const widen = (text: string): string =>
      op === 'movzx' ? `<u32>${text}` : to === 3 ? `<u64><i64><${source}>${text}` : `<u32><i32><${source}>${text}`;
    const save = writeRegister(to, 'R_DST', target);
    const tag = `${op}_${bits(from)}_${bits(to)}`;
    const memory = (indexed: boolean): string =>
      `${address(indexed)} ${readMemory(from, target, type)} ${target} = ${widen(target)}; ${save} ${NEXT}`;
    return [
      { name: `${tag}_r`, body: `${target} = ${widen(readRegister(from, 'R_SRC'))}; ${save} ${NEXT}` },
      { name: `${tag}_m`, body: memory(false) },
      { name: `${tag}_x`, body: memory(true) },
    ];
  });
}

/** Shifts of a register; the count is masked by the decoder (immediate, never 0) or here (CL). */
export const SHIFTS = ['shl', 'shr', 'sar', 'rol', 'ror'] as const;
function shiftFamily(): Handler[] {
  return SHIFTS.flatMap((op) =>
    ([2, 3] as const).flatMap((size) => {
      const { a, r, type } = names(size);
      const top = bits(size) - 1;
      const count = `<${type}>n`;
      const formula = {
        shl: `${a} << ${count}`,
        shr: `${a} >> ${count}`,
        sar: `<${type}>(${signed(size, a)} >> ${count})`,
        rol: `rotl<${type}>(${a}, ${count})`,
        ror: `rotr<${type}>(${a}, ${count})`,
      }[op];
      const lastOut = {
        shl: `<u32>(${a} >> <${type}>(${bits(size)} - n)) & 1`,
        shr: `<u32>(${a} >> <${type}>(n - 1)) & 1`,
        sar: `<u32>(${signed(size, a)} >> <${type}>(n - 1)) & 1`,
        rol: `<u32>${r} & 1`,
        ror: `<u32>(${r} >> ${top})`,
      }[op];
      // OF is defined for a count of 1 only; with other counts it gets the same formula, as on Intel processors.
      const over = {
        shl: `(t ^ <u32>(${r} >> ${top}))`,
        shr: `(<u32>(${a} >> ${top}) & u32(n == 1))`,
        sar: '0',
        rol: `((<u32>(${r} >> ${top}) ^ <u32>${r}) & 1)`,
        ror: `(<u32>((${r} >> ${top}) ^ (${r} >> ${top - 1})) & 1)`,
      }[op];
      const rotate = op === 'rol' || op === 'ror';
      const set = rotate
        ? `setArithmeticFlags((arithmeticFlags() & ~(F_CF | F_OF)) | t | (${over} << 11));`
        : flags('RES', size, `t | (${over} << 11)`);
      const run = `${a} = ${readRegister(size, 'R_DST')}; ${r} = ${formula}; t = ${lastOut}; ${writeRegister(size, 'R_DST', r)}`;
      const list = [
        { name: `${op}_ri${bits(size)}`, body: `n = <i32>load<u8>(p, R_IMM); ${run} ${set} ${NEXT}` },
        {
          name: `${op}_rc${bits(size)}`,
          // A count of 0 changes nothing but the upper half of a 32-bit register.
          body: `n = <i32>load<u8>(c, 8) & ${top}; if (n == 0) { ${size === 2 ? `${a} = ${readRegister(size, 'R_DST')}; ${writeRegister(size, 'R_DST', a)}` : ''} ${NEXT} } ${run} ${set} ${NEXT}`,
        },
      ];
      if (!rotate)
        list.push({
          name: `${op}_ri${bits(size)}_quiet`,
          body: `n = <i32>load<u8>(p, R_IMM); ${a} = ${readRegister(size, 'R_DST')}; ${writeRegister(size, 'R_DST', formula)} ${NEXT}`,
        });
      return list;
    }),
  );
}

export const IMUL_FORMS = ['rr', 'rm', 'rri', 'rmi'] as const;
function imulFamily(): Handler[] {
  return IMUL_FORMS.flatMap((form) =>
    ([2, 3] as const).map((size) => {
      const { a, b, r, type } = names(size);
      const memory = form === 'rm' || form === 'rmi';
      const source = memory ? `${address(true)} ${readMemory(size, a, type)}` : `${a} = ${readRegister(size, 'R_SRC')};`;
      const second = form.endsWith('i') ? `${b} = ${immediate(size)};` : `${b} = ${readRegister(size, 'R_DST')};`;
      const lost =
        size === 2
          ? 'y = <u64>(<i64><i32>a * <i64><i32>b); r = <u32>y; t = u32(<i64>y != <i64><i32>r);'
          : 'z = x * y; t = u32(<i64>mulHighSigned(x, y) != <i64>z >> 63);';
      return {
        name: `imul_${form}${bits(size)}`,
        body: `${source} ${second} ${lost} ${writeRegister(size, 'R_DST', r)} ${flags('RES', size, 't | (t << 11)')} ${NEXT}`,
      };
    }),
  );
}

function miscFamily(): Handler[] {
  const push = (value: string): string =>
    `va = load<u64>(c, RSP) - 8; x = ${value}; ${writeMemory(3, 'x')} store<u64>(c, va, RSP); ${NEXT}`;
  const push32 = (value: string): string =>
    `va = (load<u64>(c, RSP) - 4) & 0xffffffff; a = ${value}; ${writeMemory(2, 'a')} store<u64>(c, va, RSP); ${NEXT}`;
  const effective = `load<u64>(c + <usize>load<u16>(p, R_BASE)) + <u64><i64>load<i32>(p, R_DISP)`;
  const indexed = `${effective} + (load<u64>(c + <usize>load<u16>(p, R_INDEX)) << <u64>load<u8>(p, R_SCALE))`;
  const list: Handler[] = [
    { name: 'nop', body: NEXT },
    { name: 'lea_m64', body: `store<u64>(${DST}, ${effective}); ${NEXT}` },
    { name: 'lea_x64', body: `store<u64>(${DST}, ${indexed}); ${NEXT}` },
    { name: 'lea_m32', body: `store<u64>(${DST}, (${effective}) & 0xffffffff); ${NEXT}` },
    { name: 'lea_x32', body: `store<u64>(${DST}, (${indexed}) & 0xffffffff); ${NEXT}` },
    { name: 'push_r64', body: push(`load<u64>(${SRC})`) },
    { name: 'push_i64', body: push('load<u64>(p, R_IMM)') },
    {
      name: 'pop_r64',
      body: `va = load<u64>(c, RSP); ${readMemory(3, 'x', 'u64')} store<u64>(c, va + 8, RSP); store<u64>(${DST}, x); ${NEXT}`,
    },
    {
      name: 'leave64',
      body: `va = load<u64>(c, RBP); ${readMemory(3, 'x', 'u64')} store<u64>(c, va + 8, RSP); store<u64>(c, x, RBP); ${NEXT}`,
    },
    // Flat 32-bit code: in compatibility mode registers may have upper halves.
    { name: 'push_r32', body: push32(`load<u32>(${SRC})`) },
    { name: 'push_i32', body: push32('load<u32>(p, R_IMM)') },
    {
      name: 'pop_r32',
      body: `va = <u64>load<u32>(c, RSP); ${readMemory(2, 'a', 'u32')} store<u64>(c, (va + 4) & 0xffffffff, RSP); store<u64>(${DST}, <u64>a); ${NEXT}`,
    },
    {
      name: 'leave32',
      body: `va = <u64>load<u32>(c, RBP); ${readMemory(2, 'a', 'u32')} store<u64>(c, (va + 4) & 0xffffffff, RSP); store<u64>(c, <u64>a, RBP); ${NEXT}`,
    },
    { name: 'cwde', body: `store<u64>(c, <u64><u32><i32>load<i16>(c), RAX); ${NEXT}` },
    { name: 'cdqe', body: `store<u64>(c, <u64><i64>load<i32>(c), RAX); ${NEXT}` },
    { name: 'cdq', body: `store<u64>(c, <u64><u32>(load<i32>(c) >> 31), RDX); ${NEXT}` },
    { name: 'cqo', body: `store<u64>(c, <u64>(load<i64>(c) >> 63), RDX); ${NEXT}` },
    { name: 'setcc_r', body: `store<u8>(${DST}, <u8>condition(<u32>load<u8>(p, R_IMM))); ${NEXT}` },
    { name: 'bswap32', body: `store<u64>(${DST}, <u64>bswap<u32>(load<u32>(${DST}))); ${NEXT}` },
    { name: 'bswap64', body: `store<u64>(${DST}, bswap<u64>(load<u64>(${DST}))); ${NEXT}` },
    { name: 'xchg_rr32', body: `a = load<u32>(${DST}); store<u64>(${DST}, <u64>load<u32>(${SRC})); store<u64>(${SRC}, <u64>a); ${NEXT}` },
    { name: 'xchg_rr64', body: `x = load<u64>(${DST}); store<u64>(${DST}, load<u64>(${SRC})); store<u64>(${SRC}, x); ${NEXT}` },
    // Address records. Linear address of a segment with a base in 64-bit mode; 32-bit address size (R_EXTRA: byte offset of the base).
    { name: 'ea64', body: `store<u64>(c, ${indexed} + load<u64>(c + <usize>load<u32>(p, R_EXTRA)), VREG_EA); ${NEXT}` },
    { name: 'ea32', body: `store<u64>(c, ((${indexed}) & 0xffffffff) + load<u64>(c + <usize>load<u32>(p, R_EXTRA)), VREG_EA); ${NEXT}` },
    // RIP-relative operand whose displacement from the page's start needs more than 32 bits.
    {
      name: 'ea_far',
      body: `store<u64>(c, load<u64>(c + <usize>load<u16>(p, R_BASE)) + load<u64>(p, R_IMM) + load<u64>(c + <usize>load<u32>(p, R_EXTRA)), VREG_EA); ${NEXT}`,
    },
    { name: 'ea_segmented', body: `if (!segmentedAddress(p)) break; ${NEXT}` },
  ];
  for (const size of [2, 3] as const) {
    const { a, type } = names(size);
    const keep = size === 2 ? `else { store<u64>(${DST}, <u64>load<u32>(${DST})); }` : '';
    const cc = 'condition(<u32>load<u8>(p, R_IMM))';
    list.push({
      name: `cmov_r${bits(size)}`,
      body: `if (${cc}) { ${writeRegister(size, 'R_DST', readRegister(size, 'R_SRC'))} } ${keep} ${NEXT}`,
    });
    list.push({
      name: `cmov_m${bits(size)}`,
      body: `${address(true)} ${readMemory(size, a, type)} if (${cc}) { ${writeRegister(size, 'R_DST', a)} } ${keep} ${NEXT}`,
    });
  }
  return list;
}

/** The condition as an expression over the operands of a compare. */
function compared(code: number, size: Size): string {
  const { a, b, r } = names(size);
  const sa = signed(size, a);
  const sb = signed(size, b);
  const table: Record<number, string> = {
    2: `${a} < ${b}`,
    3: `${a} >= ${b}`,
    4: `${a} == ${b}`,
    5: `${a} != ${b}`,
    6: `${a} <= ${b}`,
    7: `${a} > ${b}`,
    8: `${signed(size, r)} < 0`,
    9: `${signed(size, r)} >= 0`,
    12: `(${sa}) < (${sb})`,
    13: `(${sa}) >= (${sb})`,
    14: `(${sa}) <= (${sb})`,
    15: `(${sa}) > (${sb})`,
  };
  return table[code]!;
}

/** The condition over a result whose CF and OF are 0, or that asks for ZF or SF only. */
function resulting(code: number, size: Size): string {
  const { r } = names(size);
  const s = signed(size, r);
  const table: Record<number, string> = { 4: `${r} == 0`, 5: `${r} != 0`, 8: `${s} < 0`, 9: `${s} >= 0`, 14: `${s} <= 0`, 15: `${s} > 0` };
  return table[code]!;
}

export const JOIN_COMPARE_FORMS = ['rr', 'ri', 'rx', 'mr', 'mi'] as const;
export const JOIN_TEST_FORMS = ['rr', 'ri', 'mi'] as const;
export const JOIN_ALU = ['add', 'and', 'sub'] as const;

/** A flag-setting instruction joined with the conditional branch behind it; the branch keeps its own record at p + 32. */
function joinedFamily(): Handler[] {
  const list: Handler[] = [];
  const tail = branch('p + RECORD_SIZE');
  for (const form of JOIN_COMPARE_FORMS)
    for (const size of JOIN_SIZES)
      for (const code of COMPARE_CONDITIONS)
        list.push({
          name: `cmp_${form}${bits(size)}_j${code}`,
          body: `${operands(form, size, false)} ${compute('cmp', size)} ${flags('SUB', size)} t = u32(${compared(code, size)}); ${tail}`,
        });
  for (const form of JOIN_TEST_FORMS)
    for (const size of JOIN_SIZES)
      for (const code of LOGIC_CONDITIONS)
        list.push({
          name: `test_${form}${bits(size)}_j${code}`,
          body: `${operands(form, size, false)} ${compute('and', size)} ${flags('LOGIC', size)} t = u32(${resulting(code, size)}); ${tail}`,
        });
  for (const alu of JOIN_ALU)
    for (const form of ['rr', 'ri'] as const)
      for (const size of [2, 3] as const)
        for (const code of RESULT_CONDITIONS)
          list.push({
            name: `${alu}_${form}${bits(size)}_j${code}`,
            body: `${operands(form, size, false)} ${compute(alu, size)} ${writeRegister(size, 'R_DST', names(size).r)} ${aluFlags(alu, size)} t = u32(${resulting(code, size)}); ${tail}`,
          });
  for (const op of ['inc', 'dec'] as const)
    for (const size of [2, 3] as const)
      for (const code of RESULT_CONDITIONS) {
        const { a, r } = names(size);
        list.push({
          name: `${op}_r${bits(size)}_j${code}`,
          body: `${a} = ${readRegister(size, 'R_DST')}; n = <i32>carry(); ${r} = ${a} ${op === 'inc' ? '+' : '-'} 1; ${writeRegister(size, 'R_DST', r)} ${flags(op === 'inc' ? 'INC' : 'DEC', size, '<u32>n')} t = u32(${resulting(code, size)}); ${tail}`,
        });
      }
  return list;
}

function branchFamily(): Handler[] {
  const list: Handler[] = [];
  const fast: Record<number, string> = {
    2: 'carry()',
    3: 'carry() ^ 1',
    4: 'u32(load<u64>(c, FL_RESULT) == 0)',
    5: 'u32(load<u64>(c, FL_RESULT) != 0)',
    8: 'sign()',
    9: 'sign() ^ 1',
  };
  for (let code = 0; code < 16; code++) list.push({ name: `j${code}`, body: `t = ${fast[code] ?? `condition(${code})`}; ${branch('p')}` });
  const returnAddress = 'load<u64>(c, VREG_PAGE) + <u64>load<u16>(p, R_OFF) + <u64>load<u8>(p, R_LEN)';
  const push = `va = load<u64>(c, RSP) - 8; x = ${returnAddress}; ${writeMemory(3, 'x')} store<u64>(c, va, RSP);`;
  const jump = 'why = WHY_JUMP; break;';
  // A CALL whose push faults faults for that.
  const checkCall = 'if ((rip + 0x800000000000) >> 48) { badCall(p, load<u64>(c, RSP) - 8); break; }';
  const checkTarget = 'if ((rip + 0x800000000000) >> 48) { badTarget(); break; }';
  list.push({ name: 'jmp', body: `t = 1; ${branch('p')}` });
  list.push({ name: 'fall', body: `t = 0; ${branch('p')}` });
  list.push({ name: 'call64', body: `${push} t = 1; ${branch('p')}` });
  list.push({ name: 'call_r64', body: `rip = load<u64>(${SRC}); ${checkCall} ${push} ${jump}` });
  list.push({ name: 'call_m64', body: `${address(true)} ${readMemory(3, 'rip', 'u64')} ${checkCall} ${push} ${jump}` });
  list.push({ name: 'jmp_r64', body: `rip = load<u64>(${SRC}); ${checkTarget} ${jump}` });
  list.push({ name: 'jmp_m64', body: `${address(true)} ${readMemory(3, 'rip', 'u64')} ${checkTarget} ${jump}` });
  list.push({
    name: 'ret64',
    body: `va = load<u64>(c, RSP); ${readMemory(3, 'rip', 'u64')} ${checkTarget} store<u64>(c, va + 8 + load<u64>(p, R_IMM), RSP); ${jump}`,
  });
  // Flat 32-bit code: no target is outside CS.
  const push32 = `va = (load<u64>(c, RSP) - 4) & 0xffffffff; a = <u32>(${returnAddress}); ${writeMemory(2, 'a')} store<u64>(c, va, RSP);`;
  list.push({ name: 'call32', body: `${push32} t = 1; ${branch('p')}` });
  list.push({ name: 'call_r32', body: `rip = <u64>load<u32>(${SRC}); ${push32} ${jump}` });
  list.push({ name: 'call_m32', body: `${address(true)} ${readMemory(2, 'rip', 'u64')} ${push32} ${jump}` });
  list.push({ name: 'jmp_r32', body: `rip = <u64>load<u32>(${SRC}); ${jump}` });
  list.push({ name: 'jmp_m32', body: `${address(true)} ${readMemory(2, 'rip', 'u64')} ${jump}` });
  list.push({
    name: 'ret32',
    body: `va = <u64>load<u32>(c, RSP); ${readMemory(2, 'rip', 'u64')} store<u64>(c, (va + 4 + load<u64>(p, R_IMM)) & 0xffffffff, RSP); ${jump}`,
  });
  return list;
}

/** Put over the record behind an instruction after which the interpreter has to stop; see mem.ts. */
function stopHandler(): Handler {
  return { name: 'stop', body: 'why = WHY_STOP; break;' };
}

/** Handlers that run on to the next record, then those that end a block. */
export const plainHandlers: readonly Handler[] = [
  ...aluFamily(),
  ...quietFamily(),
  ...testFamily(),
  ...unaryFamily(),
  ...moveFamily(),
  ...extendFamily(),
  ...shiftFamily(),
  ...imulFamily(),
  ...miscFamily(),
  stopHandler(),
];
export const endingHandlers: readonly Handler[] = [...joinedFamily(), ...branchFamily()];
