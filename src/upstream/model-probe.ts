import type { ProbeFailure, ProbeUpstream } from "../control/ports.ts";
import type { Account, KnownModel } from "../domain/account/account.ts";
import type { Upstream } from "../gateway/ports.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import { durationMs } from "../kernel/time.ts";
import { readWhole } from "./read-whole.ts";

/** One page holds every model of the provider (protocol.md P4 asks for as many). */
const TARGET = "/v1/models?limit=1000";
const PROBE_MS = durationMs(10_000);
const MAX_BODY_BYTES = 1024 * 1024;
const MAX_MODELS = 1_000;
const MAX_TEXT_CHARACTERS = 256;

/** Asks an account which models it may use: free of charge, and the cheapest proof that its credential works. */
export function createModelProbe(upstream: Upstream): ProbeUpstream {
  return {
    async listModels(account, credential) {
      const sent = await upstream.send(probeRequest(account, credential), AbortSignal.timeout(PROBE_MS));
      if (!sent.ok) {
        return err({ status: null, detail: sent.error.detail });
      }
      const { status, body } = sent.value;
      if (status !== 200) {
        body.cancel();
        return err({ status, detail: `The provider answered with status ${status}` });
      }
      return readModels(await readWhole(body, MAX_BODY_BYTES));
    },
  };
}

function probeRequest(account: Account, credential: Secret) {
  return {
    baseUrl: account.baseUrl,
    method: "GET",
    target: TARGET,
    headers: [
      ["anthropic-version", "2023-06-01"],
      ["accept", "application/json"],
      ["accept-encoding", "identity"],
      ["user-agent", "better-ccflare"],
    ] as const,
    credentialKind: account.credentialKind,
    credential,
    body: null,
    deadlines: { connectMs: PROBE_MS, headersMs: PROBE_MS, idleMs: PROBE_MS, totalMs: PROBE_MS },
  };
}

function readModels(body: Uint8Array | null): Result<readonly KnownModel[], ProbeFailure> {
  const malformed = err({ status: 200, detail: "The provider's list of models cannot be read" });
  if (body === null) {
    return malformed;
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(body));
  } catch {
    return malformed;
  }
  const data = isRecord(parsed) ? parsed["data"] : null;
  return Array.isArray(data) ? ok(data.slice(0, MAX_MODELS).flatMap(knownModelOf)) : malformed;
}

function knownModelOf(entry: unknown): readonly KnownModel[] {
  const id = isRecord(entry) ? entry["id"] : null;
  const displayName = isRecord(entry) ? entry["display_name"] : null;
  if (typeof id !== "string" || id === "" || id.length > MAX_TEXT_CHARACTERS) {
    return [];
  }
  return [{ id, displayName: typeof displayName === "string" ? displayName.slice(0, MAX_TEXT_CHARACTERS) : id }];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
