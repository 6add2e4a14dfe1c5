/** Why a file has no symbols for the lab: one line. */
export class SymbolError extends Error {}
