/** Buffers in the running vCPU's block for memory operands and results that cannot be used in place. */
import { VCPU_LANES, VCPU_OPERAND, VCPU_RESULT, VCPU_SIDE_BY_SIDE } from '../../abi/index';
import { cpu } from '../state';

/** 16 bytes: an operand that crosses a page or comes from a device. */
@inline
export function operandBuffer(): usize {
  return cpu + VCPU_OPERAND;
}
/** 16 bytes: a result that must not become visible before it is complete. */
@inline
export function resultBuffer(): usize {
  return cpu + VCPU_RESULT;
}
/** 16 bytes each: first and second operands of an operation on neighbouring lanes, and its results. */
@inline
export function firstBuffer(): usize {
  return cpu + VCPU_LANES;
}
@inline
export function secondBuffer(): usize {
  return cpu + VCPU_LANES + 16;
}
/** 64 bytes: both operands side by side, and the extracted bytes. */
@inline
export function sideBySide(): usize {
  return cpu + VCPU_SIDE_BY_SIDE;
}
