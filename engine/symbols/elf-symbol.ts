/** What the symbol table of an ELF file and that of a module in memory have in common (System V gABI, chapter 4). */
export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;

/** Longer names are cut. */
export const MOST_NAME = 512;

/** Names are printed on terminals: no control characters. */
export const printable = (name: string): boolean => /^[\x21-\x7e\xa1-\xff]+$/.test(name);
