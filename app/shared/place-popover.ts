/** Where a popover goes, px in the window: at the wish, but whole inside it. */
const MARGIN = 8;

export interface Place {
  left: number;
  top: number;
}

/** `room`: what it needs at least of width and height; what is higher scrolls. */
export function placePopover(wish: { x: number; y: number }, room: { width: number; height: number }): Place {
  const within = (at: number, needed: number, window: number): number => Math.max(MARGIN, Math.min(at, window - needed - MARGIN));
  return { left: within(wish.x, room.width, innerWidth), top: within(wish.y, room.height, innerHeight) };
}
