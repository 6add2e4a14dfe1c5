/** The position of a popover, px in the window: as wished, but completely inside. */
const MARGIN = 8;

export interface Place {
  left: number;
  top: number;
}

/** `room`: its minimum width and height; taller content scrolls. */
export function placePopover(wish: { x: number; y: number }, room: { width: number; height: number }): Place {
  const within = (at: number, needed: number, window: number): number => Math.max(MARGIN, Math.min(at, window - needed - MARGIN));
  return { left: within(wish.x, room.width, innerWidth), top: within(wish.y, room.height, innerHeight) };
}
