/*
 * The comparison in C: an intrusive red-black tree of memslots by first gfn, as the kernel indexes them, compiled with gcc -O2.
 * Method: Cormen et al., Introduction to Algorithms, chapter 13. Usage: rbtree SLOTS QUERIES LOCAL_PERCENT
 * Prints JSON: nanoseconds per lookup, per insert (set-up in shuffled order) and per move (remove + insert of the last slot).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct slot {
  struct slot *child[2], *parent;
  uint64_t base, npages, hva;
  uint32_t flags, id;
  int red;
} slot;

static slot nil_slot, *const nil = &nil_slot;
static slot *root = &nil_slot;
static uint32_t lcg;

static uint32_t draw(uint32_t below) {
  lcg = lcg * 1664525u + 1013904223u;
  return (uint32_t)(((uint64_t)lcg * below) >> 32);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static void put(slot *parent, slot *old, slot *next) {
  if (parent == nil) root = next;
  else parent->child[parent->child[1] == old] = next;
}

static void rotate(slot *node, int side) {
  slot *rising = node->child[!side];
  node->child[!side] = rising->child[side];
  if (rising->child[side] != nil) rising->child[side]->parent = node;
  rising->parent = node->parent;
  put(node->parent, node, rising);
  rising->child[side] = node;
  node->parent = rising;
}

static void insert(slot *node) {
  slot *parent = nil, *at = root;
  int side = 0;
  while (at != nil) {
    parent = at;
    side = node->base >= at->base;
    at = at->child[side];
  }
  node->parent = parent;
  node->child[0] = node->child[1] = nil;
  node->red = 1;
  if (parent == nil) root = node;
  else parent->child[side] = node;
  while (node->parent->red) {
    slot *up = node->parent, *top = up->parent;
    int s = top->child[1] == up;
    slot *uncle = top->child[!s];
    if (uncle->red) {
      up->red = uncle->red = 0;
      top->red = 1;
      node = top;
      continue;
    }
    if (up->child[!s] == node) {
      rotate(up, s);
      node = up;
      up = node->parent;
    }
    up->red = 0;
    top->red = 1;
    rotate(top, !s);
  }
  root->red = 0;
}

static void removal(slot *node) {
  slot *gone = node, *fix;
  int black = !gone->red;
  if (node->child[0] == nil || node->child[1] == nil) {
    fix = node->child[node->child[0] == nil];
    fix->parent = node->parent;
    put(node->parent, node, fix);
  } else {
    gone = node->child[1];
    while (gone->child[0] != nil) gone = gone->child[0];
    black = !gone->red;
    fix = gone->child[1];
    if (gone->parent == node) {
      fix->parent = gone;
    } else {
      fix->parent = gone->parent;
      gone->parent->child[0] = fix;
      gone->child[1] = node->child[1];
      gone->child[1]->parent = gone;
    }
    put(node->parent, node, gone);
    gone->parent = node->parent;
    gone->child[0] = node->child[0];
    gone->child[0]->parent = gone;
    gone->red = node->red;
  }
  if (!black) return;
  while (fix != root && !fix->red) {
    int s = fix->parent->child[1] == fix;
    slot *up = fix->parent, *sib = up->child[!s];
    if (sib->red) {
      sib->red = 0;
      up->red = 1;
      rotate(up, s);
      sib = up->child[!s];
    }
    if (!sib->child[0]->red && !sib->child[1]->red) {
      sib->red = 1;
      fix = up;
      continue;
    }
    if (!sib->child[!s]->red) {
      sib->child[s]->red = 0;
      sib->red = 1;
      rotate(sib, !s);
      sib = up->child[!s];
    }
    sib->red = up->red;
    up->red = 0;
    sib->child[!s]->red = 0;
    rotate(up, s);
    fix = root;
  }
  fix->red = 0;
}

static slot *find(uint64_t gfn) {
  slot *at = root;
  while (at != nil) {
    if (gfn < at->base) at = at->child[0];
    else if (gfn < at->base + at->npages) return at;
    else at = at->child[1];
  }
  return NULL;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Median over chunks that are shorter than a time slice, so that other processes disturb a few whole chunks rather than a part of each. */
#define CHUNK 2000

int main(int argc, char **argv) {
  if (argc != 4) return 1;
  uint32_t n = (uint32_t)atoi(argv[1]), count = (uint32_t)atoi(argv[2]), local = (uint32_t)atoi(argv[3]);
  slot *slots = calloc(n, sizeof *slots);
  uint64_t *query = malloc(count * sizeof *query);
  uint32_t *order = malloc(n * sizeof *order);
  nil->child[0] = nil->child[1] = nil->parent = nil;
  lcg = 1;
  for (uint32_t i = 0; i < n; i++) order[i] = i;
  for (uint32_t i = n - 1; i > 0; i--) {
    uint32_t j = draw(i + 1), swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
  for (uint32_t i = 0; i < n; i++) {
    slots[i].base = 65536 + (uint64_t)i * 4;
    slots[i].npages = 4;
    slots[i].hva = slots[i].base * 4096;
    slots[i].id = i;
  }
  double start = now();
  for (uint32_t i = 0; i < n; i++) insert(&slots[order[i]]);
  double setup = (now() - start) / n;
  lcg = 2;
  uint64_t last = 65536;
  for (uint32_t i = 0; i < count; i++) {
    if (draw(100) < local) query[i] = last - last % 4 + draw(4);
    else query[i] = 65536 + draw(n * 4);
    last = query[i];
  }
  uint64_t sum = 0;
  for (uint32_t i = 0; i < count; i++) sum += find(query[i])->hva;
  uint32_t chunks = count / CHUNK;
  double *took = malloc(chunks * sizeof *took);
  for (uint32_t chunk = 0; chunk < chunks; chunk++) {
    start = now();
    for (uint32_t i = chunk * CHUNK; i < (chunk + 1) * CHUNK; i++) sum += find(query[i])->hva;
    took[chunk] = (now() - start) / CHUNK;
  }
  qsort(took, chunks, sizeof *took, ascending);
  double lookup = took[chunks / 2];
  slot *mover = &slots[n - 1];
  start = now();
  for (uint32_t i = 0; i < 20000; i++) {
    removal(mover);
    mover->base = i & 1 ? 65536 + (uint64_t)(n - 1) * 4 : 65536 + (uint64_t)n * 4;
    insert(mover);
  }
  double move = (now() - start) / 20000;
  printf("{\"lookup\":%.3f,\"insert\":%.3f,\"move\":%.3f,\"sum\":%llu}\n", lookup, setup, move, (unsigned long long)sum);
  return 0;
}
