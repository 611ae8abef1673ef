import type { StrategyName } from "../../src/domain/selection/strategy-name.ts";
import { GATEWAY_DEFAULTS } from "./gateway-defaults.ts";
import { idealOf } from "./ideal.ts";
import { optimumOf } from "./optimum.ts";
import { replay } from "./replay.ts";
import type { TraceResult } from "./table.ts";
import { TRACES, type TraceName } from "./traces.ts";

export type RunOptions = { readonly strategies: readonly StrategyName[]; readonly seed: number };

/** One bundled trace: the ideal, the optimum, and every strategy. */
export function runTrace(name: TraceName, { strategies, seed }: RunOptions): TraceResult {
  const trace = TRACES[name](seed);
  const ideal = idealOf(trace);
  return {
    trace,
    offeredTokens: ideal.workTokens,
    optimum: optimumOf(trace, ideal, GATEWAY_DEFAULTS.maxWaitMs),
    reports: strategies.map((strategy) => replay(trace, ideal, { strategy, seed })),
  };
}
