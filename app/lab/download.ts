/** Bytes or text as a file in the downloads folder. */
export function saveAs(content: Uint8Array | string, name: string): void {
  const url = URL.createObjectURL(new Blob([content as BlobPart], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name.replace(/[^\w. -]/g, '_');
  link.click();
  // Browsers require a later turn; by then they have taken over the bytes.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
