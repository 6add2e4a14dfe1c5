/** Reads streams of bytes completely, with a bound and progress. */

/** `total` is undefined if the sender did not report it. */
export type Progress = (done: number, total: number | undefined) => void;

export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** Throws when more than `most` bytes come. */
export async function readAll(
  stream: ReadableStream<Uint8Array> | null,
  total: number | undefined,
  most: number,
  progress: Progress,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream?.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      await reader.cancel().catch(() => {});
      throw new Error(`it has more than ${most} bytes`);
    }
    chunks.push(value);
    // A server that inflates on the fly announces the packed length, so no percentage can be shown.
    progress(length, total !== undefined && length <= total ? total : undefined);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** The last four bytes of a gzip file are its inflated length modulo 4 GiB (RFC 1952); used for progress only. */
export async function gunzip(bytes: Uint8Array<ArrayBuffer>, most: number, progress: Progress): Promise<Uint8Array<ArrayBuffer>> {
  const total = bytes.length >= 18 ? new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true) : undefined;
  return readAll(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip')), total, most, progress);
}
