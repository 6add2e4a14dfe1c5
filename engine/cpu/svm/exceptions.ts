/** Intercepts of exceptions and of the shutdown that follows a triple fault (APM 2 15.12, 15.14.3). */
import { VCPU_FAULT_ADDR } from '../../abi/index';
import { SVM_EXIT_EXCEPTION, SVM_EXIT_SHUTDOWN } from '../../abi/svm';
import { cpu, VEC_PF } from '../state';
import { inGuest, intercepts, requestExit } from './state';

/** An exception that the host intercepts: the #VMEXIT is pending. CR2 was not written. */
export function exceptionExits(vector: i32, error: u32): bool {
  if (!inGuest() || !intercepts(SVM_EXIT_EXCEPTION + vector)) return false;
  requestExit(SVM_EXIT_EXCEPTION + vector, error, vector == VEC_PF ? load<u64>(cpu, VCPU_FAULT_ADDR) : 0, 0);
  return true;
}

/** A triple fault that the host intercepts. */
export function shutdownExits(): bool {
  if (!inGuest() || !intercepts(SVM_EXIT_SHUTDOWN)) return false;
  requestExit(SVM_EXIT_SHUTDOWN, 0, 0, 0);
  return true;
}
