/** CRC-32 of IEEE 802.3 (polynomial 0xedb88320 reflected), as in gzip and PNG; four bytes at a time. */

const TABLE = makeTable();

/** TABLE[k * 256 + b]: effect of byte b followed by k zero bytes on the remainder. */
function makeTable(): Uint32Array {
  const table = new Uint32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    table[byte] = crc;
  }
  for (let at = 256; at < table.length; at++) table[at] = (table[at - 256]! >>> 8) ^ table[table[at - 256]! & 0xff]!;
  return table;
}

export function crc32(bytes: Uint8Array): number {
  let crc = -1;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = TABLE[768 + (crc & 0xff)]! ^ TABLE[512 + ((crc >>> 8) & 0xff)]! ^ TABLE[256 + ((crc >>> 16) & 0xff)]! ^ TABLE[crc >>> 24]!;
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}
