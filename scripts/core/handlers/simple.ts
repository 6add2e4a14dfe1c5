/** Handlers without flags of their own: extensions, addresses, the stack, conversions, conditions, exchanges. */
import { bits, type Operation, type Size } from '../../../engine/abi/ops/index';
import { address, DST, memoryType, NEXT, names, readMemory, readRegister, SRC, writeMemory, writeRegister } from './templates';

const EFFECTIVE = 'load<u64>(c + <usize>load<u16>(p, R_BASE)) + <u64><i64>load<i32>(p, R_DISP)';
const INDEXED = `${EFFECTIVE} + (load<u64>(c + <usize>load<u16>(p, R_INDEX)) << <u64>load<u8>(p, R_SCALE))`;

/** MOVZX, MOVSX. */
export function extendHandler({ action, form, indexed }: Operation, from: Size, to: Size): string {
  const target = to === 3 ? 'x' : 'a';
  const type = to === 3 ? 'u64' : 'u32';
  const source = action === 'movzx' ? memoryType(from) : `i${bits(from)}`;
  const widen = (text: string): string =>
    action === 'movzx' ? `<u32>${text}` : to === 3 ? `<u64><i64><${source}>${text}` : `<u32><i32><${source}>${text}`;
  const save = writeRegister(to, 'R_DST', target);
  if (form === 'r') return `${target} = ${widen(readRegister(from, 'R_SRC'))}; ${save} ${NEXT}`;
  return `${address(indexed)} ${readMemory(from, target, type)} ${target} = ${widen(target)}; ${save} ${NEXT}`;
}

/** LEA, and the address records, which leave a linear address in VREG_EA. */
export function addressHandler({ name, action, indexed }: Operation, size: Size | undefined): string {
  if (action === 'lea') {
    const offset = indexed ? INDEXED : EFFECTIVE;
    return `store<u64>(${DST}, ${size === 3 ? offset : `(${offset}) & 0xffffffff`}); ${NEXT}`;
  }
  const put = (offset: string): string => `store<u64>(c, ${offset} + load<u64>(c + <usize>load<u32>(p, R_EA_BASE)), VREG_EA); ${NEXT}`;
  switch (name) {
    case 'ea64':
      return put(INDEXED);
    case 'ea32':
      return put(`((${INDEXED}) & 0xffffffff)`);
    case 'ea_far':
      return put('load<u64>(c + <usize>load<u16>(p, R_BASE)) + load<u64>(p, R_FAR)');
    default:
      return `if (!segmentedAddress(p)) break; ${NEXT}`;
  }
}

/** PUSH, POP, LEAVE. In flat 32-bit code registers may have upper halves (compatibility mode). */
export function stackHandler({ action, form }: Operation, size: Size): string {
  const { a, type } = names(size);
  const at = (register: string): string => `load<${type}>(c, ${register})`;
  const cut = (text: string): string => (size === 3 ? text : `(${text}) & 0xffffffff`);
  const bytes = size === 3 ? 8 : 4;
  if (action === 'push') {
    const value = form === 'r' ? `load<${type}>(${SRC})` : `load<${type}>(p, R_IMM)`;
    return `va = ${cut(`load<u64>(c, VCPU_RSP) - ${bytes}`)}; ${a} = ${value}; ${writeMemory(size, a)} store<u64>(c, va, VCPU_RSP); ${NEXT}`;
  }
  const from = action === 'pop' ? 'VCPU_RSP' : 'VCPU_RBP';
  const target = action === 'pop' ? `store<u64>(${DST}, <u64>${a});` : `store<u64>(c, <u64>${a}, VCPU_RBP);`;
  return `va = <u64>${at(from)}; ${readMemory(size, a, type)} store<u64>(c, ${cut(`va + ${bytes}`)}, VCPU_RSP); ${target} ${NEXT}`;
}

export function convertHandler({ action }: Operation, size: Size | undefined): string {
  switch (action) {
    case 'nop':
      return NEXT;
    case 'cwde':
      return `store<u64>(c, <u64><u32><i32>load<i16>(c, VCPU_RAX), VCPU_RAX); ${NEXT}`;
    case 'cdqe':
      return `store<u64>(c, <u64><i64>load<i32>(c, VCPU_RAX), VCPU_RAX); ${NEXT}`;
    case 'cdq':
      return `store<u64>(c, <u64><u32>(load<i32>(c, VCPU_RAX) >> 31), VCPU_RDX); ${NEXT}`;
    case 'cqo':
      return `store<u64>(c, <u64>(load<i64>(c, VCPU_RAX) >> 63), VCPU_RDX); ${NEXT}`;
    default: {
      const type = memoryType(size!); // bswap
      return `store<u64>(${DST}, <u64>bswap<${type}>(load<${type}>(${DST}))); ${NEXT}`;
    }
  }
}

/** SETcc and CMOVcc. A 32-bit CMOV clears the upper half whether it moves or not. */
export function conditionHandler({ action, form, indexed }: Operation, size: Size): string {
  const met = 'condition(<u32>load<u8>(p, R_CONDITION))';
  if (action === 'setcc') return `store<u8>(${DST}, <u8>${met}); ${NEXT}`;
  const keep = size === 2 ? `else { store<u64>(${DST}, <u64>load<u32>(${DST})); }` : '';
  if (form === 'rr') return `if (${met}) { ${writeRegister(size, 'R_DST', readRegister(size, 'R_SRC'))} } ${keep} ${NEXT}`;
  const { a, type } = names(size);
  return `${address(indexed)} ${readMemory(size, a, type)} if (${met}) { ${writeRegister(size, 'R_DST', a)} } ${keep} ${NEXT}`;
}

/** XCHG of two registers. */
export function exchangeHandler(size: Size): string {
  const { a, type } = names(size);
  return `${a} = load<${type}>(${DST}); store<u64>(${DST}, <u64>load<${type}>(${SRC})); store<u64>(${SRC}, <u64>${a}); ${NEXT}`;
}
