import type { StrategyName } from "../../src/domain/selection/strategy-name.ts";
import { elapsed } from "../../src/kernel/time.ts";
import { createAgenda } from "./agenda.ts";
import { createChance } from "./chance.ts";
import { startSessions } from "./client.ts";
import { createReplayGateway } from "./gateway.ts";
import { GATEWAY_DEFAULTS } from "./gateway-defaults.ts";
import type { Ideal } from "./ideal.ts";
import { createMeter } from "./meter.ts";
import { createProvider } from "./provider.ts";
import type { ReplayReport } from "./report.ts";
import type { Trace } from "./trace.ts";

export type ReplayOptions = { readonly strategy: StrategyName; readonly seed: number };

/** One strategy on one trace. The same arguments give the same report. */
export function replay(trace: Trace, ideal: Ideal, { strategy, seed }: ReplayOptions): ReplayReport {
  const agenda = createAgenda(trace.startMs);
  const meter = createMeter(ideal);
  const { waitPriceUsdPerHour, crossOrganization, maxWaitMs } = GATEWAY_DEFAULTS;
  const desk = createReplayGateway({
    agenda,
    meter,
    provider: createProvider(trace, seed),
    credentials: trace.credentials,
    rule: { strategy, waitPriceUsdPerHour, crossOrganization, maxWaitMs },
    chance: createChance(seed).fork("gateway"),
  });
  startSessions(trace, agenda, desk);
  agenda.runUntil(trace.endMs);
  return meter.report({ trace: trace.name, strategy, seed, simulatedMs: elapsed(trace.startMs, trace.endMs) });
}
