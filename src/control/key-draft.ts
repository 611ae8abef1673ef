import { type IpNetwork, parseIpNetwork } from "../domain/access/ip-address.ts";
import type { KeyGrant, KeyScope } from "../domain/access/key-grant.ts";
import { DEFAULT_LIMITS, type KeyLimits, NO_LIMITS } from "../domain/access/key-limits.ts";
import type { UserId } from "../domain/access/user-id.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { type DurationMs, durationMs } from "../kernel/time.ts";
import { parseName } from "./name.ts";
import { type Refusal, type RefusalCode, refusal } from "./refusal.ts";

/** What somebody asks for. Null: no such restriction; a limit that is not given is the default of users, and none for the operator. */
export type KeyDraft = {
  readonly name: string;
  /** Whose it is; null: the operator's. */
  readonly ownerId: UserId | null;
  /** Null: 90 days. */
  readonly expiresInMs: DurationMs | "never" | null;
  readonly scopes: readonly KeyScope[] | null;
  readonly models: readonly string[] | null;
  readonly networks: readonly string[] | null;
  readonly limits: Partial<KeyLimits>;
  /** Only the operator at the Unix socket may ask for a key that never expires, and has no limits by default. */
  readonly isOperator: boolean;
  /** Nobody grants what they do not hold: those who make keys for themselves alone hold no passthrough and the default limits. */
  readonly mayGrantMore: boolean;
};

/** A draft of the operator that asks for nothing but a name. */
export const OPEN_DRAFT: Omit<KeyDraft, "name"> = {
  ownerId: null,
  expiresInMs: null,
  scopes: null,
  models: null,
  networks: null,
  limits: {},
  isOperator: true,
  mayGrantMore: true,
};

export type KeyPlan = {
  readonly name: string;
  readonly ownerId: UserId | null;
  /** Null: never. */
  readonly expiresInMs: DurationMs | null;
  readonly grant: KeyGrant;
  readonly limits: KeyLimits;
};

const DAY_MS = 86_400_000;
const MIN_EXPIRY_MS = 60_000;
const DEFAULT_EXPIRY_MS = durationMs(90 * DAY_MS);
const MAX_EXPIRY_MS = 365 * DAY_MS;
const MAX_ENTRIES = 100;
/** The largest number of tokens or requests a minute that makes sense of a limit. */
export const MAX_LIMIT = 1_000_000_000;
const MODEL = /^[\w.:@/-]{1,127}[\w.:@/*-]?$/;

export function parseKeyDraft(draft: KeyDraft): Result<KeyPlan, Refusal> {
  const name = parseName("create key", draft.name);
  if (!name.ok) return name;
  const refuse = ({ code, fact, field }: DraftProblem) =>
    err(refusal(code, `Cannot create key "${name.value}": ${fact}`, field));
  const expiry = expiryProblem(draft);
  if (expiry !== null) return refuse(expiry);
  const grant = parseGrant(draft);
  if (!grant.ok) return refuse(grant.error);
  const limits = parseLimits(draft);
  if (!limits.ok) return refuse(limits.error);
  const { ownerId, expiresInMs } = draft;
  return ok({
    name: name.value,
    ownerId,
    expiresInMs: expiresInMs === "never" ? null : (expiresInMs ?? DEFAULT_EXPIRY_MS),
    grant: grant.value,
    limits: limits.value,
  });
}

type DraftProblem = { readonly code: RefusalCode; readonly fact: string; readonly field: keyof KeyDraft | "expiresIn" };

const WRONG_EXPIRY: DraftProblem = {
  code: "expiry_out_of_range",
  fact: "a key expires after at least 1 minute and at most 365 days",
  field: "expiresIn",
};

function expiryProblem({ expiresInMs, isOperator }: KeyDraft): DraftProblem | null {
  if (expiresInMs === "never") {
    return isOperator ? null : { ...WRONG_EXPIRY, fact: "only the operator may make a key that never expires" };
  }
  const isWithin = expiresInMs === null || (expiresInMs >= MIN_EXPIRY_MS && expiresInMs <= MAX_EXPIRY_MS);
  return isWithin ? null : WRONG_EXPIRY;
}

function parseGrant({ scopes, models, networks, mayGrantMore }: KeyDraft): Result<KeyGrant, DraftProblem> {
  if (scopes?.includes("passthrough") === true && !mayGrantMore) {
    return err({ code: "grant_not_held", fact: "you cannot grant the scope passthrough", field: "scopes" });
  }
  if (models !== null && !(models.length <= MAX_ENTRIES && models.every((model) => MODEL.test(model)))) {
    const fact = `a model is an id of at most 128 characters, or the beginning of one and a "*"; at most ${MAX_ENTRIES}`;
    return err({ code: "grant_invalid", fact, field: "models" });
  }
  const parsed = parseNetworks(networks);
  if (parsed === "invalid") {
    const fact = `a network is an IP address or a range like 10.0.0.0/8, with no bits set behind the prefix; at most ${MAX_ENTRIES}`;
    return err({ code: "grant_invalid", fact, field: "networks" });
  }
  return ok({ scopes: scopes === null ? null : [...new Set(scopes)], models, networks: parsed });
}

function parseLimits({ limits, isOperator, mayGrantMore }: KeyDraft): Result<KeyLimits, DraftProblem> {
  const parsed = { ...(isOperator ? NO_LIMITS : DEFAULT_LIMITS), ...limits };
  if (!Object.values(parsed).every(isLimit)) {
    const fact = `a limit is a whole number from 1 to ${MAX_LIMIT}, or none`;
    return err({ code: "grant_invalid", fact, field: "limits" });
  }
  const beyond = mayGrantMore ? null : beyondDefault(parsed);
  if (beyond === null) return ok(parsed);
  const fact = `you cannot grant more than ${DEFAULT_LIMITS[beyond]} (${beyond})`;
  return err({ code: "grant_not_held", fact, field: "limits" });
}

function parseNetworks(texts: readonly string[] | null): readonly IpNetwork[] | null | "invalid" {
  if (texts === null) return null;
  const parsed = texts.slice(0, MAX_ENTRIES).flatMap((text) => {
    const network = parseIpNetwork(text);
    return network.ok ? [network.value] : [];
  });
  return parsed.length === texts.length ? parsed : "invalid";
}

const DEFAULT_NAMES = ["requestsPerMinute", "concurrency"] as const;

/** The first limit that is wider than a user's default. */
function beyondDefault(limits: KeyLimits): (typeof DEFAULT_NAMES)[number] | null {
  const most = (name: (typeof DEFAULT_NAMES)[number]) => DEFAULT_LIMITS[name] ?? Infinity;
  return DEFAULT_NAMES.find((name) => (limits[name] ?? Infinity) > most(name)) ?? null;
}

function isLimit(value: number | null): boolean {
  return value === null || (Number.isInteger(value) && value >= 1 && value <= MAX_LIMIT);
}
