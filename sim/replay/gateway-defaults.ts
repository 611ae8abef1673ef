import { durationMs } from "../../src/kernel/time.ts";

/** The settings that an installation has by default (src/config/settings.ts). */
export const GATEWAY_DEFAULTS = {
  waitPriceUsdPerHour: 60,
  crossOrganization: "allow",
  maxWaitMs: durationMs(20_000),
  maxWaiting: 1_000,
  attempts: 3,
  retry: { delayMs: durationMs(500), backoff: 2 },
  budgetRatio: 0.1,
  maxHomes: 100_000,
  homeMs: durationMs(5 * 3_600_000),
} as const;
