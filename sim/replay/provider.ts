import type { AccountId } from "../../src/domain/account/account.ts";
import { costMicroUsd } from "../../src/domain/pricing/price.ts";
import { type LimitFacts, noLimitFacts } from "../../src/domain/ratelimit/limit-facts.ts";
import type { Usage } from "../../src/domain/usage/usage.ts";
import type { EpochMs } from "../../src/kernel/time.ts";
import { hashOf } from "./chance.ts";
import { createOrganizationLimits, type Grant, type Need, type OrganizationLimits } from "./organization-limits.ts";
import { createPrefixCache, type PrefixCache } from "./prefix-cache.ts";
import type { ReplayRequest } from "./request.ts";
import type { Credential, Storm, Trace } from "./trace.ts";

/** All organizations of a trace, with their limits, caches, storms and deaths. Answers with what real headers say. */
export interface Provider {
  /** The request reaches the credential's upstream; everything about its answer is decided now. */
  send(request: ReplayRequest, accountId: AccountId, nowMs: EpochMs): ProviderAnswer;
}

export type ProviderAnswer = Served | Refused;

export type Served = {
  readonly status: 200;
  readonly usage: Usage;
  /** At the first token: the cache has the prompt from now on. */
  begin(nowMs: EpochMs): LimitFacts;
  /** At the last token: what `max_tokens` held back is free. */
  end(nowMs: EpochMs): void;
};

export type Refused = {
  readonly status: 401 | 429 | 529;
  readonly cause: "dead" | "storm" | Exclude<Grant["kind"], "granted">;
  readonly limits: LimitFacts;
};

type Site = { readonly credential: Credential; readonly limits: OrganizationLimits; readonly cache: PrefixCache };

export function createProvider(trace: Pick<Trace, "credentials" | "storms" | "startMs">, seed: number): Provider {
  const sites = sitesOf(trace);
  let sent = 0;
  return {
    send(request, accountId, nowMs) {
      const site = sites.get(accountId);
      if (site === undefined) throw new Error(`Cannot send to ${accountId}: the trace has no such account`);
      sent += 1;
      const { diesAtMs, account } = site.credential;
      if (diesAtMs !== null && nowMs >= diesAtMs) return { status: 401, cause: "dead", limits: noLimitFacts };
      const storm = stormAt(trace.storms, account.baseUrl, nowMs);
      if (storm !== null && hashOf(`${request.id} ${sent}`, seed) / 2 ** 32 < storm.failRatio) {
        return { status: 529, cause: "storm", limits: noLimitFacts };
      }
      return answer(site, request, nowMs);
    },
  };
}

function sitesOf({ credentials, startMs }: Pick<Trace, "credentials" | "startMs">): ReadonlyMap<AccountId, Site> {
  const limitsOf = new Map<string, OrganizationLimits>();
  const cacheOf = new Map<string, PrefixCache>();
  return new Map(
    credentials.map((credential) => {
      const { organization, workspace, account } = credential;
      const limits = limitsOf.get(organization.id) ?? createOrganizationLimits(organization, startMs);
      limitsOf.set(organization.id, limits);
      // Isolated per workspace, never shared across organizations (protocol.md, P24).
      const cacheName = `${organization.id}/${workspace}`;
      const cache = cacheOf.get(cacheName) ?? createPrefixCache();
      cacheOf.set(cacheName, cache);
      return [account.id, { credential, limits, cache }];
    }),
  );
}

export function stormAt(storms: readonly Storm[], baseUrl: string, nowMs: number): Storm | null {
  return storms.find((storm) => storm.baseUrl === baseUrl && nowMs >= storm.fromMs && nowMs < storm.untilMs) ?? null;
}

function answer({ limits, cache }: Site, request: ReplayRequest, nowMs: EpochMs): ProviderAnswer {
  const { session, turn, modelClass, promptTokens } = request;
  const readTokens = cache.readTokens(request, nowMs);
  const usage = usageOf(request, readTokens);
  const need: Need = {
    modelClass,
    inputTokens: promptTokens - readTokens,
    maxTokens: session.maxTokens,
    outputTokens: turn.outputTokens,
    planMicroUsd: costMicroUsd(usage, session.model) ?? 0,
  };
  const grant = limits.take(need, nowMs);
  if (grant.kind !== "granted") {
    return { status: 429, cause: grant.kind, limits: limits.facts(modelClass, grant, nowMs) };
  }
  return {
    status: 200,
    usage,
    begin(beganMs) {
      cache.commit(request, beganMs);
      return limits.facts(modelClass, null, beganMs);
    },
    end: (endedMs) => limits.finish(need, endedMs),
  };
}

const HOUR_MS = 3_600_000;

export function usageOf({ session, turn, promptTokens }: ReplayRequest, readTokens: number): Usage {
  const written = promptTokens - readTokens;
  const isHour = session.cacheMs >= HOUR_MS;
  return {
    inputTokens: 0,
    cacheWrite5mTokens: isHour ? 0 : written,
    cacheWrite1hTokens: isHour ? written : 0,
    cacheReadTokens: readTokens,
    outputTokens: turn.outputTokens,
    webSearchRequests: null,
    webFetchRequests: null,
    serviceTier: null,
    isPartial: false,
  };
}

/** Until when a 429 says that it is limited: the plan's reset, else `retry-after`, which is rounded up to a second. */
export function statedReturn({ cause, limits }: Refused): EpochMs | null {
  return cause === "plan" ? (limits.unified?.resetAtMs ?? limits.retryAtMs) : limits.retryAtMs;
}
