/** Names in sentences. */

/** "Linux", "memlab", "The guest". */
export function guestWord(name: string | undefined): string {
  if (name === undefined) return 'The guest';
  return name === 'linux' ? 'Linux' : name;
}
