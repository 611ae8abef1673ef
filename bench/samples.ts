import { median } from "./percentile.ts";
import type { Row } from "./row.ts";

/** Figures by system, one per round. */
export type Samples = ReadonlyMap<"nginx" | "gateway", number[]>;

export function noSamples(): Samples {
  return new Map([
    ["nginx", []],
    ["gateway", []],
  ]);
}

/**
 * The median of each system, null where it has no samples, and the median of the ratios of each round. Rounds alternate,
 * so both halves of a pair saw the same machine: on a machine that does other work too, this is the steadier ratio.
 */
export function medians(samples: Samples): Pick<Row, "nginx" | "gateway" | "pairedRatio"> {
  const nginx = samples.get("nginx") ?? [];
  const gateway = samples.get("gateway") ?? [];
  return { nginx: medianOrNull(nginx), gateway: medianOrNull(gateway), pairedRatio: pairedRatio(nginx, gateway) };
}

/** Null unless both have a sample of at least one round. */
export function pairedRatio(below: readonly number[], above: readonly number[]): number | null {
  const ratios = above.flatMap((value, round) => {
    const base = below[round];
    return base === undefined || !(base > 0) ? [] : [value / base];
  });
  return medianOrNull(ratios);
}

function medianOrNull(values: readonly number[]): number | null {
  return values.length === 0 ? null : median(values);
}
