/** The position of each lane of the map, in CSS px, for a canvas of a given size. */
export interface Lane {
  y: number;
  h: number;
}

export interface Rows {
  width: number;
  height: number;
  /** Lanes run from `left` to `left + span`. */
  left: number;
  span: number;
  /** Lane names stand in the gutter; a phone has none. */
  gutter: boolean;
  /** Enough height for second lines and the host's ticks. */
  tall: boolean;
  overview: Lane;
  ticks: Lane;
  staged: Lane;
  guest: Lane;
  dirty: Lane;
  ribbons: Lane;
  host: Lane;
  hostTicks: boolean;
}

export const PHONE_MAP_HEIGHT = 236;
/** px: below it there is no room for the host's ticks. */
const LOW = 236;

export function layOutRows(width: number, height: number, phone: boolean): Rows {
  const tall = height > 270;
  // The phases of a commit may take a second line of the pane's head: every lane stays, closer together.
  const low = !phone && height < LOW;
  const left = phone ? 12 : 84;
  const right = phone ? 12 : 14;
  const overview = { y: 8, h: phone ? 18 : 20 };
  const ticks = { y: overview.y + overview.h + 10, h: 17 };
  const staged = { y: ticks.y + ticks.h + 5, h: 22 };
  const guest = {
    y: staged.y + staged.h + (tall ? 32 : low ? 18 : 27),
    h: phone ? 48 : tall ? Math.min(84, 64 + Math.max(0, (height - 340) * 0.5)) : 42,
  };
  const dirty = { y: guest.y + guest.h + 3, h: phone ? 10 : 12 };
  const ribbonTop = dirty.y + dirty.h + 2;
  const hostTop = Math.max(ribbonTop + (low ? 16 : 28), tall ? height - 50 : phone ? ribbonTop + 32 : height - (low ? 24 : 40));
  return {
    width,
    height,
    left,
    span: Math.max(1, width - left - right),
    gutter: !phone,
    tall,
    overview,
    ticks,
    staged,
    guest,
    dirty,
    ribbons: { y: ribbonTop, h: hostTop - ribbonTop },
    host: { y: hostTop, h: tall ? 28 : 22 },
    hostTicks: !phone && !low,
  };
}
