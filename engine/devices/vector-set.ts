/** Sets of the 256 interrupt vectors as eight 32-bit words: IRR, ISR and TMR. Bit n of word m is vector 32 m + n. */

/** The highest vector, or -1. */
export function highestVector(set: readonly number[]): number {
  for (let word = 7; word >= 0; word--) {
    const value = set[word]!;
    if (value !== 0) return word * 32 + 31 - Math.clz32(value);
  }
  return -1;
}

export function hasVector(set: readonly number[], vector: number): boolean {
  return (set[vector >> 5]! & (1 << (vector & 31))) !== 0;
}

export function addVector(set: number[], vector: number): void {
  set[vector >> 5] = (set[vector >> 5]! | (1 << (vector & 31))) >>> 0;
}

export function removeVector(set: number[], vector: number): void {
  set[vector >> 5] = (set[vector >> 5]! & ~(1 << (vector & 31))) >>> 0;
}
