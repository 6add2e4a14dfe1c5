/** Finds text that overlaps other text, or is cut off and cannot be scrolled into view. */
import type { LabPage } from './page';

/** One sentence for each. Popovers, dialogs and fixed elements cover the page on purpose, so they are compared only among themselves. */
export const textTroubles = (lab: LabPage): Promise<string[]> =>
  lab.page.evaluate(() => {
    interface Piece {
      words: string;
      node: Node;
      layer: Element | null;
      box: { left: number; top: number; right: number; bottom: number };
    }
    const found: string[] = [];
    const pieces: Piece[] = [];
    const layers = new Map<Element, Element | null>();
    for (const element of document.querySelectorAll('body *')) {
      const { position } = getComputedStyle(element);
      const own = position === 'fixed' || position === 'sticky' || element.matches('dialog, [popover]');
      layers.set(element, own ? element : (layers.get(element.parentElement!) ?? null));
    }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement!;
      const words = node.textContent?.trim() ?? '';
      if (!words || element.closest('.xterm, .visually-hidden, select, style') || !element.checkVisibility({ visibilityProperty: true }))
        continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const { left, top, right, bottom } of range.getClientRects()) {
        const box = { left, top, right, bottom };
        let scrolls = false;
        let cut = false;
        for (let around: Element | null = element; around && around !== document.body; around = around.parentElement) {
          const { overflowX, textOverflow } = getComputedStyle(around);
          if (overflowX === 'visible') continue;
          const edge = around.getBoundingClientRect();
          if (overflowX === 'auto' || overflowX === 'scroll') scrolls = true;
          else if (!scrolls && textOverflow !== 'ellipsis' && box.right > edge.right + 2) cut = true;
          box.left = Math.max(box.left, edge.left);
          box.top = Math.max(box.top, edge.top);
          box.right = Math.min(box.right, edge.right);
          box.bottom = Math.min(box.bottom, edge.bottom);
        }
        // Text without any room is left out, not cut.
        if (box.right - box.left <= 2 || box.bottom - box.top <= 2) continue;
        if (cut) found.push(`"${words.slice(0, 40)}" is cut off`);
        pieces.push({ words, node, layer: layers.get(element) ?? null, box });
      }
    }
    for (const [index, a] of pieces.entries()) {
      for (const b of pieces.slice(index + 1)) {
        if (a.node === b.node || a.layer !== b.layer) continue;
        const width = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
        const height = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
        if (width > 2 && height > 4) found.push(`"${a.words.slice(0, 40)}" and "${b.words.slice(0, 40)}" lie over each other`);
      }
    }
    return [...new Set(found)];
  });
