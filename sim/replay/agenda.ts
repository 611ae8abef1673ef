import { type EpochMs, epochMs } from "../../src/kernel/time.ts";

/** A virtual clock with the things that will happen, in order of time; of one instant, in the order they were planned. */
export interface Agenda {
  readonly nowMs: EpochMs;
  /** An instant that has passed counts as now. */
  at(instantMs: number, happen: () => void): void;
  /** Runs until nothing is left before `untilMs`, which is then the time. */
  runUntil(untilMs: EpochMs): void;
  /** No further entry happens. */
  stop(): void;
}

type Entry = { readonly atMs: number; readonly order: number; readonly happen: () => void };

/** A binary heap: planning and taking cost log n. */
export function createAgenda(startMs: EpochMs): Agenda {
  const heap: Entry[] = [];
  let nowMs: number = startMs;
  let order = 0;
  let isStopped = false;
  return {
    get nowMs() {
      return epochMs(nowMs);
    },
    at(instantMs, happen) {
      push(heap, { atMs: Math.max(nowMs, instantMs), order, happen });
      order += 1;
    },
    runUntil(untilMs) {
      for (let next = heap[0]; next !== undefined && next.atMs < untilMs && !isStopped; next = heap[0]) {
        pop(heap);
        nowMs = next.atMs;
        next.happen();
      }
      if (!isStopped) nowMs = Math.max(nowMs, untilMs);
    },
    stop() {
      isStopped = true;
    },
  };
}

function isBefore(left: Entry, right: Entry): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}

function push(heap: Entry[], entry: Entry): void {
  let index = heap.length;
  heap.push(entry);
  while (index > 0) {
    const parentIndex = (index - 1) >> 1;
    const parent = heap[parentIndex];
    if (parent === undefined || isBefore(parent, entry)) break;
    heap[index] = parent;
    index = parentIndex;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    const childIndex = earlierChild(heap, index);
    const child = heap[childIndex];
    if (child === undefined || isBefore(last, child)) break;
    heap[index] = child;
    index = childIndex;
  }
  heap[index] = last;
}

function earlierChild(heap: readonly Entry[], index: number): number {
  const leftIndex = 2 * index + 1;
  const left = heap[leftIndex];
  const right = heap[leftIndex + 1];
  return left !== undefined && right !== undefined && isBefore(right, left) ? leftIndex + 1 : leftIndex;
}
