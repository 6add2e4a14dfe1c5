/** Summarises the rounds of a benchmark and prints verdicts. */

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

export function verdict(ok: boolean, text: string): boolean {
  console.log(`${ok ? 'reached' : 'MISSED'}: ${text}`);
  return ok;
}
