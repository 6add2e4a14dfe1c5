/** Which divisions are compiled. */
import { AUX_MEMORY, AUX_SIZE } from '../abi/record';
import type { Instruction } from './records';

/** DIV or IDIV by a 32- or 64-bit register. */
export const isShortDivision = ({ row, aux }: Instruction): boolean =>
  (row.name === 'div' || row.name === 'idiv') && (aux & AUX_MEMORY) === 0 && (aux & AUX_SIZE) >= 2;
