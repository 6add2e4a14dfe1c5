/** Shared by returns from events and far calls: flags, and data segments that the outer level must not keep. */
import { SEG_CS, SEG_ES, SEG_GS, SEG_SS } from '../abi/index';
import { setFlags, sysFlags } from './flags';
import { cpl, modeChanged } from './mmu-mode';
import { ATTR_DC, ATTR_P, attrOf, dplOf, isCode, nullify } from './segments';

const FLAG_IF: u32 = 0x200;
const FLAG_IOPL: u32 = 0x3000;
/** Flags that IRET may change with a 32- or 64-bit operand: all but IOPL, IF, VM, VIF and VIP. */
const FREE_FLAGS: u32 = 0x254dd5;
const VIF_VIP: u32 = 0x180000;

/** Sets flags as a return at privilege `from` does. */
export function returnFlags(image: u32, opsize: i32, from: u32): void {
  // IRET may change all arithmetic flags: their old values do not matter.
  const old = sysFlags();
  let allowed = FREE_FLAGS;
  if (from == 0) allowed |= FLAG_IOPL | VIF_VIP;
  if (from <= ((old >> 12) & 3)) allowed |= FLAG_IF;
  if (opsize == 2) allowed &= 0xffff;
  setFlags((old & ~allowed) | (image & allowed) | 2);
}

/** Drops data segments that the outer level may not use (SDM 2, RET and IRET: "RETURN-TO-OUTER-PRIVILEGE-LEVEL"). */
export function dropInnerSegments(): void {
  let dropped = false;
  for (let seg = SEG_ES; seg <= SEG_GS; seg++) {
    if (seg == SEG_CS || seg == SEG_SS) continue;
    const attr = attrOf(seg);
    const conforming = isCode(attr) && (attr & ATTR_DC) != 0;
    if (conforming || !(attr & ATTR_P) || dplOf(attr) >= cpl) continue;
    nullify(seg);
    dropped = true;
  }
  if (dropped) modeChanged();
}
