import type { ClientKeyId } from "../domain/access/client-key-id.ts";
import { clientKeyId } from "../domain/access/client-key-id.ts";
import { type IpNetwork, parseIpNetwork } from "../domain/access/ip-address.ts";
import type { KeyAccess } from "../domain/access/key-access.ts";
import { KEY_SCOPES, type KeyGrant, type KeyScope, OPEN_GRANT } from "../domain/access/key-grant.ts";
import { type KeyLimits, NO_LIMITS } from "../domain/access/key-limits.ts";

/** As it stands in the column `access`. */
export function accessToText({ grant, limits, meterId }: KeyAccess): string {
  const { scopes, models, networks } = grant;
  return JSON.stringify({ scopes, models, networks: networks?.map(({ text }) => text) ?? null, limits, meterId });
}

/** What cannot be read grants nothing: a row that was damaged must not open more than it did. */
const NOTHING: KeyGrant = { scopes: [], models: [], networks: [] };

/** Null: a key of a version without grants and limits, which may do all that it did then. */
export function accessFromText(text: string | null, id: ClientKeyId): KeyAccess {
  if (text === null) return { grant: OPEN_GRANT, limits: NO_LIMITS, meterId: id };
  const fields = membersOf(text);
  const meterId = fields.get("meterId");
  return {
    grant: grantOf(fields) ?? NOTHING,
    limits: limitsOf(fields.get("limits")),
    meterId: typeof meterId === "string" ? clientKeyId(meterId) : id,
  };
}

type Members = ReadonlyMap<string, unknown>;

function membersOf(text: string): Members {
  try {
    const parsed: unknown = JSON.parse(text);
    return new Map(typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : []);
  } catch {
    return new Map();
  }
}

function grantOf(fields: Members): KeyGrant | null {
  const scopes = listOf(fields.get("scopes"), isScope);
  const models = listOf(fields.get("models"), isText);
  const networks = listOf(fields.get("networks"), isText);
  if (scopes === undefined || models === undefined || networks === undefined) return null;
  return { scopes, models, networks: networks?.flatMap(networkOf) ?? null };
}

/** Undefined: neither null nor a list of these. */
function listOf<Entry>(value: unknown, is: (each: unknown) => each is Entry): readonly Entry[] | null | undefined {
  if (value === null) return null;
  return Array.isArray(value) && value.every(is) ? value : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isScope(value: unknown): value is KeyScope {
  return KEY_SCOPES.some((scope) => scope === value);
}

function networkOf(text: string): readonly IpNetwork[] {
  const network = parseIpNetwork(text);
  return network.ok ? [network.value] : [];
}

/** A limit that cannot be read is the smallest. */
function limitsOf(value: unknown): KeyLimits {
  const given = new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
  const limit = (name: keyof KeyLimits): number | null => {
    const each = given.get(name);
    return each === null ? null : typeof each === "number" && Number.isInteger(each) && each >= 1 ? each : 1;
  };
  return {
    requestsPerMinute: limit("requestsPerMinute"),
    inputTokensPerMinute: limit("inputTokensPerMinute"),
    outputTokensPerMinute: limit("outputTokensPerMinute"),
    concurrency: limit("concurrency"),
  };
}
