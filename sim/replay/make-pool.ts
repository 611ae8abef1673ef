import { type Account, accountId } from "../../src/domain/account/account.ts";
import { epochMs } from "../../src/kernel/time.ts";
import type { BucketLimits, Credential, Organization, PlanLimits } from "./trace.ts";

export const MAIN_UPSTREAM = "https://api.anthropic.com";
export const OTHER_UPSTREAM = "https://claude.example-cloud.com";

/** 2026-01-05, a Monday, 06:00 UTC. */
export const START_MS = epochMs(1_767_592_800_000);

const HOUR_MS = 3_600_000;

export type OrganizationPlan = {
  readonly id: string;
  readonly baseUrl?: string;
  readonly buckets?: Readonly<Record<string, BucketLimits>>;
  readonly plan?: PlanLimits;
  /** Workspace of each of its credentials. */
  readonly workspaces: readonly string[];
  /** Hours after the start at which all of its credentials are refused. */
  readonly diesAfterHours?: number;
};

export function makePool(plans: readonly OrganizationPlan[]): readonly Credential[] {
  return plans.flatMap((plan) => {
    const organization: Organization = {
      id: plan.id,
      baseUrl: plan.baseUrl ?? MAIN_UPSTREAM,
      buckets: plan.buckets ?? {},
      plan: plan.plan ?? null,
    };
    const diesAtMs = plan.diesAfterHours === undefined ? null : epochMs(START_MS + plan.diesAfterHours * HOUR_MS);
    return plan.workspaces.map((workspace, index) => ({
      account: makeAccount(`${plan.id}-${index + 1}`, organization, workspace),
      organization,
      workspace,
      diesAtMs,
    }));
  });
}

/** Organization and workspace are declared, as an operator does who follows the guide. */
export function makeAccount(name: string, organization: Organization, workspace: string | null): Account {
  return {
    id: accountId(name),
    name,
    provider: "anthropic",
    baseUrl: organization.baseUrl,
    credentialKind: "api_key",
    priority: 100,
    weight: 1,
    organization: organization.id,
    workspace,
    isPaused: false,
    createdAtMs: START_MS,
    models: [],
  };
}

export type PlanShape = {
  readonly fiveHourUsd: number;
  readonly sevenDayUsd: number;
  /** Hours after the start at which the running 5 h window ends; 0: none runs. */
  readonly resetsAfterHours: number;
  readonly weekEndsAfterHours?: number;
};

export function makePlan(shape: PlanShape): PlanLimits {
  return {
    fiveHourMicroUsd: shape.fiveHourUsd * 1_000_000,
    fiveHourResetMs: epochMs(START_MS + shape.resetsAfterHours * HOUR_MS),
    sevenDayMicroUsd: shape.sevenDayUsd * 1_000_000,
    sevenDayResetMs: epochMs(START_MS + (shape.weekEndsAfterHours ?? 24) * HOUR_MS),
  };
}
