/**
 * Published kernel figures: memslot_perf_test, array (before) and tree (after), from the covers of "KVM: Scalable memslots implementation" v2 and v4
 * (M. S. Szmigiero, 2021; Xeon 8167M, TDP MMU off). The machine and the language differ: compare the shape, not the seconds.
 */

/** row -> slots -> [array, tree], seconds */
export const PUBLISHED: Record<string, Record<number, [number, number]>> = {
  /** 32763: measured with 8194 slots, the most that test allows. */
  Map: { 10: [0.0192, 0.0186], 32: [0.0192, 0.019], 100: [0.0195, 0.0191], 509: [0.0232, 0.0223], 32763: [0.2, 0.0541] },
  Unmap: { 10: [0.0313, 0.031], 32: [0.0325, 0.031], 100: [0.0374, 0.0312], 509: [0.0724, 0.0315], 32763: [3.88, 0.0351] },
  'Unmap 2M': {
    10: [0.000348, 0.000351],
    32: [0.000373, 0.000373],
    100: [0.00047, 0.000447],
    509: [0.00155, 0.000869],
    32763: [3.88, 0.0348],
  },
  'Move active': {
    10: [0.00011, 0.0000948],
    32: [0.0001, 0.0000866],
    100: [0.0000956, 0.00008],
    509: [0.000101, 0.0000792],
    32763: [0.00142, 0.0000786],
  },
  'Move inactive': {
    10: [0.000111, 0.0000933],
    32: [0.000106, 0.0000918],
    100: [0.000101, 0.000084],
    509: [0.000108, 0.0000847],
    32763: [0.00148, 0.000088],
  },
  Setup: { 10: [0.000342, 0.000283], 32: [0.000989, 0.000775], 100: [0.0026, 0.00174], 509: [0.0135, 0.00803], 32763: [16.1, 0.59] },
};
