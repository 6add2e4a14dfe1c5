/**
 * Instructions that run in a function of engine/cpu: `(p: usize): i32`, with the record's address. It returns 0: could not complete, 1: continue with
 * the next record, 2: leave the interpreter, 3: VCPU_RIP is a near target, 4: it is a far one. Flags here are bounds over all instructions that one
 * operation stands for: at most `reads`, at least `writes`, at most `alters`.
 */
import { AF, ALL_FLAGS, CF, flagsOfCondition, OF, type Operation, operation, ZF } from './operation';

type Row = Partial<Operation> & { readonly fn: string };

/** One file of the core: operation name -> function, and what differs from the defaults. They may fault unless the row says otherwise. */
const file = (path: string, rows: Readonly<Record<string, Row>>): Operation[] =>
  Object.entries(rows).map(([name, { fn, ...given }]) =>
    operation({ name, family: 'out-of-line', action: name, form: 'none', mayFault: true, run: [fn, path], ...given }),
  );

const NEVER = { mayFault: false } as const;
/** A general operand: a register or memory, according to R_AUX. */
const operand = { form: 'rm?', access: 'read', segment: 'operand', indexed: true } as const;
const target = { ...operand, access: 'modify' } as const;
const store = { ...operand, access: 'write' } as const;
const all = { writes: ALL_FLAGS } as const;
const pushes = { stack: true, segment: 'stack' } as const;
const condition = { reads: ALL_FLAGS } as const;
const zero = { writes: ZF } as const;

/** The interpreter's own switch calls these: most are so short that a second switch on the way would cost time. They return 0 or 1. */
export const outOfLineCalled: readonly Operation[] = file('simd/hot', {
  xmm_load: { fn: 'opXmmLoad', ...operand, form: 'none' },
  xmm_store: { fn: 'opXmmStore', ...store, form: 'none' },
  xmm_load_part: { fn: 'opXmmLoadPart', ...operand, form: 'none' },
  xmm_store_part: { fn: 'opXmmStorePart', ...store, form: 'none' },
  xmm_integer: { fn: 'opXmmInteger', ...operand, form: 'none' },
  xmm_arithmetic: { fn: 'opXmmArithmetic', ...operand, form: 'none' },
}).map((row) => ({ ...row, called: true }));

export const outOfLine: readonly Operation[] = [
  ...file('ops-shift', {
    shift: { fn: 'opShift', ...target, reads: CF, alters: ALL_FLAGS },
    shld: { fn: 'opShld', ...target, alters: ALL_FLAGS },
    shrd: { fn: 'opShrd', ...target, alters: ALL_FLAGS },
  }),
  ...file('ops-muldiv', {
    mul: { fn: 'opMul', ...operand, ...all },
    imul1: { fn: 'opImul1', ...operand, ...all },
    div: { fn: 'opDiv', ...operand },
    idiv: { fn: 'opIdiv', ...operand },
    imul16: { fn: 'opImul16', ...operand, ...all },
  }),
  ...file('ops-bits', {
    bit: { fn: 'opBit', ...target, writes: CF },
    bsf: { fn: 'opBsf', ...operand, writes: ZF },
    bsr: { fn: 'opBsr', ...operand, writes: ZF },
    popcnt: { fn: 'opPopcnt', ...operand, ...all },
    crc32: { fn: 'opCrc32', ...operand },
  }),
  ...file('ops-atomic', {
    xchg: { fn: 'opXchg', ...target },
    xadd: { fn: 'opXadd', ...target, ...all },
    cmpxchg: { fn: 'opCmpxchg', ...target, ...all },
    cmpxchg8b: { fn: 'opCmpxchg8b', ...target, writes: ZF },
    cmpxchg16b: { fn: 'opCmpxchg16b', ...target, writes: ZF },
  }),
  ...file('ops-misc', {
    setcc_m: { fn: 'opSetccM', ...store, ...condition },
    cmov16: { fn: 'opCmov16', ...operand, ...condition },
    lea16: { fn: 'opLea16', ...NEVER },
    cbw: { fn: 'opCbw', ...NEVER },
    cwd: { fn: 'opCwd', ...NEVER },
    xlat: { fn: 'opXlat', access: 'read', segment: 'operand' },
    lahf: { fn: 'opLahf', ...NEVER, reads: ALL_FLAGS & ~OF },
    sahf: { fn: 'opSahf', ...NEVER, writes: ALL_FLAGS & ~OF },
    flag: { fn: 'opFlag', ...NEVER, reads: CF, alters: CF },
    bswap16: { fn: 'opBswap16', ...NEVER },
    bound: { fn: 'opBound', access: 'read', segment: 'operand' },
    cli: { fn: 'opCli' },
    mov_from_seg: { fn: 'opMovFromSeg', ...store },
  }),
  ...file('ops-bcd', {
    daa: { fn: 'opDaa', ...NEVER, reads: CF | AF, ...all },
    das: { fn: 'opDas', ...NEVER, reads: CF | AF, ...all },
    aaa: { fn: 'opAaa', ...NEVER, reads: AF, ...all },
    aas: { fn: 'opAas', ...NEVER, reads: AF, ...all },
    aam: { fn: 'opAam', ...all },
    aad: { fn: 'opAad', ...NEVER, ...all },
  }),
  ...file('ops-stack', {
    push_r: { fn: 'opPushR', ...pushes },
    push_i: { fn: 'opPushI', ...pushes },
    push_m: { fn: 'opPushM', ...operand, stack: true, segment: 'either' },
    push_seg: { fn: 'opPushSeg', ...pushes },
    pop_r: { fn: 'opPopR', ...pushes },
    pop_m: { fn: 'opPopM', ...store, stack: true, segment: 'either' },
    pusha: { fn: 'opPusha', ...pushes },
    popa: { fn: 'opPopa', ...pushes },
    pushf: { fn: 'opPushf', ...pushes, reads: ALL_FLAGS },
    enter: { fn: 'opEnter', ...pushes },
    leave: { fn: 'opLeave', ...pushes },
  }),
  ...file('ops-system', {
    mov_from_cr: { fn: 'opMovFromCr' },
    mov_from_dr: { fn: 'opMovFromDr' },
    sgdt: { fn: 'opSgdt', ...store },
    sidt: { fn: 'opSidt', ...store },
    sldt: { fn: 'opSldt', ...store },
    str: { fn: 'opStr', ...store },
    smsw: { fn: 'opSmsw', ...store },
    verr: { fn: 'opVerr', ...operand, ...zero },
    verw: { fn: 'opVerw', ...operand, ...zero },
    lar: { fn: 'opLar', ...operand, ...zero },
    lsl: { fn: 'opLsl', ...operand, ...zero },
    arpl: { fn: 'opArpl', ...target, ...zero },
    cpuid: { fn: 'opCpuid' },
    rdtsc: { fn: 'opRdtsc' },
    rdtscp: { fn: 'opRdtscp' },
    rdpmc: { fn: 'opRdpmc' },
    rdrand: { fn: 'opRdrand', ...all },
    xgetbv: { fn: 'opXgetbv' },
  }),
  // A #VMEXIT shows a host everything, flags too.
  ...file('svm/guard', { guard: { fn: 'opGuard', reads: ALL_FLAGS } }),
  // FCOMI and FUCOMI, COMIS and UCOMIS set flags; FCMOV reads them.
  ...file('fpu/execute', { fpu: { fn: 'opFpu', ...operand, form: 'none', access: 'modify', reads: ALL_FLAGS, alters: ALL_FLAGS } }),
  ...file('simd/execute', { simd: { fn: 'opSimd', ...operand, form: 'none', access: 'modify', alters: ALL_FLAGS } }),
  // PTEST and the string compares set flags; PEXTR stores.
  ...file('simd/extended', {
    simd_38: { fn: 'opSimd38', ...operand, form: 'none', alters: ALL_FLAGS },
    simd_3a: { fn: 'opSimd3A', ...operand, form: 'none', access: 'modify', alters: ALL_FLAGS },
  }),
];

const ENDS = { ends: true } as const;
const near = { ...ENDS, form: 'near' } as const;
const FAR = { ...ENDS, far: true } as const;

export const outOfLineEnding: readonly Operation[] = [
  ...file('ops-system', { undefined: { fn: 'opUndefined', ...ENDS }, too_long: { fn: 'opTooLong', ...ENDS } }),
  ...file('ops-string', {
    string: { fn: 'opString', ...ENDS, access: 'modify', segment: 'operand', reads: ZF, alters: ALL_FLAGS },
    string_io: { fn: 'opStringIo', ...ENDS, access: 'modify', segment: 'operand' },
  }),
  ...file('ops-io', { in: { fn: 'opIn', ...ENDS }, out: { fn: 'opOut', ...ENDS } }),
  ...file('ops-branch', {
    jcc_g: { fn: 'opJccNear', ...near, ...condition },
    jmp_g: { fn: 'opJmpNear', ...near },
    jmp_rm: { fn: 'opJmpRm', ...operand, ...ENDS },
    call_g: { fn: 'opCallNear', ...near, ...pushes },
    call_rm: { fn: 'opCallRm', ...operand, ...ENDS, stack: true, segment: 'either' },
    ret_g: { fn: 'opRetNear', ...ENDS, ...pushes },
    loop: { fn: 'opLoop', ...near, reads: flagsOfCondition(4) },
    jmpf: { fn: 'opJmpFar', ...FAR },
    callf: { fn: 'opCallFar', ...FAR, ...pushes },
    jmpf_m: { fn: 'opJmpFarM', ...ENDS, access: 'read', segment: 'operand' },
    callf_m: { fn: 'opCallFarM', ...ENDS, access: 'read', stack: true, segment: 'operand' },
    retf: { fn: 'opRetFar', ...FAR, ...pushes },
    iret: { fn: 'opIret', ...FAR, ...pushes, ...all },
    int: { fn: 'opInt', ...FAR, ...pushes, reads: ALL_FLAGS },
    into: { fn: 'opInto', ...ENDS, ...pushes, reads: ALL_FLAGS },
  }),
  ...file('ops-stack', {
    popf: { fn: 'opPopf', ...ENDS, ...pushes, ...all },
    pop_seg: { fn: 'opPopSeg', ...ENDS, ...pushes },
  }),
  ...file('ops-misc', {
    mov_to_seg: { fn: 'opMovToSeg', ...operand, ...ENDS },
    load_far: { fn: 'opLoadFar', ...ENDS, access: 'read', segment: 'operand' },
    sti: { fn: 'opSti', ...ENDS },
  }),
  ...file('ops-system', {
    mov_to_cr: { fn: 'opMovToCr', ...ENDS },
    mov_to_dr: { fn: 'opMovToDr', ...ENDS },
    lgdt: { fn: 'opLgdt', ...operand, ...ENDS },
    lidt: { fn: 'opLidt', ...operand, ...ENDS },
    lldt: { fn: 'opLldt', ...operand, ...ENDS },
    ltr: { fn: 'opLtr', ...operand, ...ENDS },
    lmsw: { fn: 'opLmsw', ...operand, ...ENDS },
    clts: { fn: 'opClts', ...ENDS },
    invlpg: { fn: 'opInvlpg', ...ENDS },
    wbinvd: { fn: 'opWbinvd', ...ENDS },
    hlt: { fn: 'opHlt', ...ENDS },
    rdmsr: { fn: 'opRdmsr', ...ENDS },
    wrmsr: { fn: 'opWrmsr', ...ENDS },
    swapgs: { fn: 'opSwapgs', ...ENDS },
    syscall: { fn: 'opSyscall', ...FAR, reads: ALL_FLAGS, ...all },
    sysret: { fn: 'opSysret', ...FAR, ...all },
    sysenter: { fn: 'opSysenter', ...FAR },
    sysexit: { fn: 'opSysexit', ...FAR },
  }),
  ...file('svm/instructions', { svm: { fn: 'opSvm', ...ENDS, reads: ALL_FLAGS, ...all } }),
];
