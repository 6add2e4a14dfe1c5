export interface Soak {
  name: string;
  title: string;
  /**
   * @param say reports progress: one short line
   * @returns what was done, for people
   * @throws Error with one line when something is wrong
   */
  run(say: (text: string) => void): Promise<string>;
}
