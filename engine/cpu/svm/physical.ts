/** SVM's own accesses to the host's memory (VMCB, permission maps, nested tables): by physical address, through the memslots. */
import { CODE_PAGES, PAGE_CLEAN, PAGE_INVALID, PAGE_READONLY } from '../../abi/index';
import { codeWritten } from '../code-pages';
import { dirtyFrame, frame } from '../frames';
import { noteChanged, tracking } from '../track';

/** The last page that was not found lies in an INVALID memslot. */
export let physInvalid: bool = false;

/** Host address of the byte at gpa; 0: no memory there (or, for a write, none that is writable). The memory may be overwritten. */
export function physPage(gpa: u64, write: bool): usize {
  const answer = frame(gpa >> 12);
  physInvalid = (answer & PAGE_INVALID) != 0;
  if (answer == 0 || physInvalid || (write && answer & PAGE_READONLY)) return 0;
  const host = <usize>(answer & 0xfffff000);
  if (write) noteWrite(host, answer, gpa, 4096);
  return host + (<usize>gpa & 0xfff);
}

/** The `size` bytes at host, in the page that `frame` returned, are about to be written. */
export function noteWrite(host: usize, answer: u32, gpa: u64, size: i32): void {
  if (answer & PAGE_CLEAN) dirtyFrame(gpa >> 12);
  if (tracking) noteChanged(host);
  if (load<u32>((host >> 12) << 2, CODE_PAGES) != 0) codeWritten(host, size);
}

/** A byte of a permission map. Without memory there, everything is intercepted. */
export function mapByte(gpa: u64): u32 {
  const host = physPage(gpa, false);
  return host == 0 ? 0xff : <u32>load<u8>(host);
}
