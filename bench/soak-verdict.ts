import { median, slope } from "./percentile.ts";

/** One reading of the gateway under load. */
export type SoakPoint = { readonly seconds: number; readonly rssMib: number; readonly descriptors: number };

export type SoakVerdict = {
  readonly isFlat: boolean;
  readonly mibPerHour: number;
  readonly text: string;
};

/** What the second half of the run may grow, over its own length: noise of the allocator. */
const MAX_GROWTH_RATIO = 0.05;
const MIN_GROWTH_MIB = 4;
const LEAST_POINTS = 4;

/** Judges the second half: in the first one the heap and the compiler still find their size. */
export function judgeSoak(points: readonly SoakPoint[]): SoakVerdict {
  const half = points.slice(Math.floor(points.length / 2));
  const [first, last] = [half[0], half.at(-1)];
  if (points.length < LEAST_POINTS || first === undefined || last === undefined) {
    return {
      isFlat: false,
      mibPerHour: Number.NaN,
      text: `Cannot judge ${points.length} readings: ${LEAST_POINTS} are needed`,
    };
  }
  const perSecond = slope(half.map(({ seconds, rssMib }) => ({ x: seconds, y: rssMib })));
  const grownMib = perSecond * (last.seconds - first.seconds);
  const allowedMib = Math.max(MIN_GROWTH_MIB, MAX_GROWTH_RATIO * median(half.map(({ rssMib }) => rssMib)));
  const isFlat = grownMib <= allowedMib;
  const mibPerHour = perSecond * 3600;
  const text = `RSS ${isFlat ? "is flat" : "grows"}: ${grownMib.toFixed(1)} MiB over the second half, ${allowedMib.toFixed(1)} MiB are allowed`;
  return { isFlat, mibPerHour, text };
}
