/**
 * Red-black tree whose nodes are slot records: links in typed arrays, nothing allocated per insert (intrusive, as the kernel's
 * rbtree is). Method: Cormen et al., Introduction to Algorithms, 3rd ed., chapter 13, with one array of two children per node, so
 * that every mirrored pair of cases is one case with a direction. Equal keys are allowed.
 */
import { FIRST_CAPACITY, grown } from './slot-table';

const LEFT = 0;
const RIGHT = 1;

export abstract class RbTree {
  /** child[2 * node] left, child[2 * node + 1] right; 0: none */
  protected child = new Int32Array(FIRST_CAPACITY * 2);
  protected parent = new Int32Array(FIRST_CAPACITY);
  protected red = new Uint8Array(FIRST_CAPACITY);
  protected root = 0;
  count = 0;

  protected abstract keyOf(node: number): number;

  /** Recomputes what a node knows of its subtree from its children (augmented trees). */
  protected augment(_node: number): void {}

  /** Makes room for handles below `capacity`. May throw RangeError. */
  reserveNodes(capacity: number): void {
    if (capacity <= this.parent.length) return;
    const child = grown(Int32Array, this.child, capacity * 2);
    const parent = grown(Int32Array, this.parent, capacity);
    this.red = grown(Uint8Array, this.red, capacity);
    this.child = child;
    this.parent = parent;
  }

  get nodeBytes(): number {
    return this.parent.length * (8 + 4 + 1);
  }

  insert(node: number): void {
    const key = this.keyOf(node);
    let parent = 0;
    let side = LEFT;
    for (let at = this.root; at; at = this.child[2 * at + side]!) {
      parent = at;
      side = key < this.keyOf(at) ? LEFT : RIGHT;
    }
    this.child[2 * node] = 0;
    this.child[2 * node + 1] = 0;
    this.parent[node] = parent;
    this.red[node] = 1;
    if (parent) this.child[2 * parent + side] = node;
    else this.root = node;
    this.count++;
    this.updateUp(node);
    this.insertFix(node);
  }

  private insertFix(start: number): void {
    const { red, parent, child } = this;
    let node = start;
    while (red[parent[node]!]) {
      const up = parent[node]!;
      const top = parent[up]!;
      const side = child[2 * top] === up ? LEFT : RIGHT;
      const uncle = child[2 * top + 1 - side]!;
      if (red[uncle]) {
        red[up] = 0;
        red[uncle] = 0;
        red[top] = 1;
        node = top;
        continue;
      }
      if (child[2 * up + 1 - side] === node) {
        this.rotate(up, side);
        node = up;
      }
      red[parent[node]!] = 0;
      red[top] = 1;
      this.rotate(top, 1 - side);
    }
    red[this.root] = 0;
  }

  /** Moves `node` down to its `side`; its other child takes its place. */
  private rotate(node: number, side: number): void {
    const { child, parent } = this;
    const rising = child[2 * node + 1 - side]!;
    const inner = child[2 * rising + side]!;
    child[2 * node + 1 - side] = inner;
    if (inner) parent[inner] = node;
    this.replaceChild(parent[node]!, node, rising);
    parent[rising] = parent[node]!;
    child[2 * rising + side] = node;
    parent[node] = rising;
    this.augment(node);
    this.augment(rising);
  }

  private replaceChild(parent: number, old: number, next: number): void {
    if (!parent) this.root = next;
    else if (this.child[2 * parent] === old) this.child[2 * parent] = next;
    else this.child[2 * parent + 1] = next;
  }

  /** The same for a node and all above it. */
  protected updateUp(_start: number): void {}

  remove(node: number): void {
    const { child, parent, red } = this;
    const left = child[2 * node]!;
    const right = child[2 * node + 1]!;
    let fix: number;
    let fixParent: number;
    let lostBlack = red[node] === 0;
    let moved = 0;
    if (!left || !right) {
      fix = left || right;
      fixParent = parent[node]!;
      this.replaceChild(fixParent, node, fix);
      if (fix) parent[fix] = fixParent;
    } else {
      let next = right;
      while (child[2 * next]) next = child[2 * next]!;
      moved = next;
      lostBlack = red[next] === 0;
      fix = child[2 * next + 1]!;
      if (parent[next] === node) {
        fixParent = next;
      } else {
        fixParent = parent[next]!;
        child[2 * fixParent] = fix;
        if (fix) parent[fix] = fixParent;
        child[2 * next + 1] = right;
        parent[right] = next;
      }
      child[2 * next] = left;
      parent[left] = next;
      this.replaceChild(parent[node]!, node, next);
      parent[next] = parent[node]!;
      red[next] = red[node]!;
    }
    this.count--;
    this.updateUp(fixParent);
    this.updateUp(moved);
    if (lostBlack) this.removeFix(fix, fixParent);
  }

  private removeFix(start: number, startParent: number): void {
    const { child, parent, red } = this;
    let node = start;
    let up = startParent;
    while (node !== this.root && !red[node]) {
      const side = child[2 * up] === node ? LEFT : RIGHT;
      let sibling = child[2 * up + 1 - side]!;
      if (red[sibling]) {
        red[sibling] = 0;
        red[up] = 1;
        this.rotate(up, side);
        sibling = child[2 * up + 1 - side]!;
      }
      if (!red[child[2 * sibling]!] && !red[child[2 * sibling + 1]!]) {
        red[sibling] = 1;
        node = up;
        up = parent[node]!;
        continue;
      }
      if (!red[child[2 * sibling + 1 - side]!]) {
        red[child[2 * sibling + side]!] = 0;
        red[sibling] = 1;
        this.rotate(sibling, 1 - side);
        sibling = child[2 * up + 1 - side]!;
      }
      red[sibling] = red[up]!;
      red[up] = 0;
      red[child[2 * sibling + 1 - side]!] = 0;
      this.rotate(up, side);
      node = this.root;
    }
    red[node] = 0;
  }

  /** `next` takes the place of `old`; their keys must be equal. O(1), but for what augmented trees update. */
  replace(old: number, next: number): void {
    const { child, parent } = this;
    const left = child[2 * old]!;
    const right = child[2 * old + 1]!;
    child[2 * next] = left;
    child[2 * next + 1] = right;
    parent[next] = parent[old]!;
    this.red[next] = this.red[old]!;
    if (left) parent[left] = next;
    if (right) parent[right] = next;
    this.replaceChild(parent[old]!, old, next);
    this.updateUp(next);
  }

  /** Next node in key order, or 0. */
  successor(node: number): number {
    const { child, parent } = this;
    let at = child[2 * node + 1]!;
    if (at) {
      while (child[2 * at]) at = child[2 * at]!;
      return at;
    }
    at = node;
    let up = parent[at]!;
    while (up && child[2 * up + 1] === at) {
      at = up;
      up = parent[at]!;
    }
    return up;
  }

  first(): number {
    let at = this.root;
    while (at && this.child[2 * at]) at = this.child[2 * at]!;
    return at;
  }

  height(node = this.root): number {
    return node ? 1 + Math.max(this.height(this.child[2 * node]!), this.height(this.child[2 * node + 1]!)) : 0;
  }

  /** Black height of a sound tree; throws at the first broken rule. For tests. */
  verify(node = this.root): number {
    if (!node) return 1;
    const left = this.child[2 * node]!;
    const right = this.child[2 * node + 1]!;
    if (this.red[node] && (this.red[left] || this.red[right])) throw new Error(`red node ${node} has a red child`);
    if ((left && this.parent[left] !== node) || (right && this.parent[right] !== node)) throw new Error(`parent link below ${node}`);
    const height = this.verify(left);
    if (height !== this.verify(right)) throw new Error(`black heights differ below ${node}`);
    return height + (this.red[node] ? 0 : 1);
  }
}
