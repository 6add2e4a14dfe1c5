/**
 * Sorts a list in place by a number of each item, and returns it. Most lists of a commit are in order already, and a sort would copy them all
 * the same.
 */
export function sortBy<T>(list: T[], keyOf: (item: T) => number): T[] {
  for (let at = 1; at < list.length; at++) if (keyOf(list[at - 1]!) > keyOf(list[at]!)) return list.sort((a, b) => keyOf(a) - keyOf(b));
  return list;
}
