/** Passes bytes through a compression or decompression stream, with a limit on the output. */

export class TooLong extends Error {}

/** TooLong as soon as there are more than `most` bytes of output; the stream's own TypeError if the input is damaged. */
export async function pump(input: Uint8Array, stream: CompressionStream | DecompressionStream, most: number): Promise<Uint8Array> {
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  // Errors of the writing side also reach the reading side; here they must only be handled.
  const written = writer
    .write(input.slice())
    .then(() => writer.close())
    .catch(() => {});
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      await reader.cancel().catch(() => {});
      throw new TooLong();
    }
    chunks.push(value);
  }
  await written;
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
