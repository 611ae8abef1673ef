import type { Config } from "./config/config.ts";
import { SYSTEM } from "./control/acting.ts";
import type { AuditDraft, AuditedChanges } from "./control/audit-port.ts";
import type { SettingStore } from "./control/ports.ts";
import { parsePinSet } from "./domain/trust/pin-set.ts";
import type { Clock } from "./gateway/ports.ts";
import type { Log } from "./observe/log.ts";
import type { PeerTrustOptions, TrustEvent } from "./upstream/peer-trust.ts";

export type UpstreamTrustNeeds = {
  readonly config: Pick<Config, "upstream">;
  readonly log: Log;
  readonly changes: AuditedChanges;
  readonly settings: SettingStore;
  readonly clock: Clock;
};

/** In the settings' store: a JSON object, issuer by host. */
const ISSUERS_KEY = "upstreamIssuers";
/** Hosts whose issuer is remembered, and events that are told once. */
const MAX_REMEMBERED = 256;

/** What is asked of upstream certificates, and who hears of it. Issuers are remembered over restarts. */
export async function openUpstreamTrust(needs: UpstreamTrustNeeds): Promise<PeerTrustOptions> {
  const { config, log, changes, settings, clock } = needs;
  const issuers = readIssuers(await settings.get(ISSUERS_KEY));
  const told = new Set<string>();
  const failed = (cause: unknown) => log.error("The audit log cannot be written", { error: cause });

  function onEvent(event: TrustEvent): void {
    const { host } = event;
    if (event.type === "issuer") {
      noteIssuer(host, event.issuer);
      return;
    }
    // Each dial meets it again; one line and one entry say it.
    const once = JSON.stringify(event);
    if (told.has(once) || told.size >= MAX_REMEMBERED) return;
    told.add(once);
    const object = { type: "upstream", id: host, name: null };
    const draft = draftOf(event);
    if (draft.code === "UPS002I") log.warn("An upstream's certificate matches no pin", { host });
    else log.error("An upstream is refused for its certificate", { host, reason: event.type });
    void changes.note({ ...draft, actor: SYSTEM, object }).catch(failed);
  }

  function noteIssuer(host: string, issuer: string): void {
    const before = issuers.get(host) ?? null;
    if (before === issuer || (before === null && issuers.size >= MAX_REMEMBERED)) return;
    issuers.set(host, issuer);
    if (before !== null)
      log.warn("The issuer of an upstream's certificate changed", { host, detail: `${before} -> ${issuer}` });
    const object = { type: "upstream", id: host, name: null };
    const draft: AuditDraft = { code: "UPS001I", actor: SYSTEM, object, before: { issuer: before }, after: { issuer } };
    const text = JSON.stringify(Object.fromEntries(issuers));
    void changes.change(draft, (stores) => stores.settings.set(ISSUERS_KEY, text)).catch(failed);
  }

  return {
    // Checked when the configuration was read.
    pins: config.upstream.pins.flatMap((text) => {
      const parsed = parsePinSet(text);
      return parsed.ok ? [parsed.value] : [];
    }),
    allowedIssuers: config.upstream.allowedIssuers,
    nowMs: clock.now,
    onEvent,
  };
}

function draftOf(event: Exclude<TrustEvent, { type: "issuer" }>): Pick<AuditDraft, "code" | "after"> {
  if (event.type === "no_pin") return { code: event.isRefused ? "UPS002E" : "UPS002I" };
  return { code: "UPS003E", after: { issuer: event.issuer } };
}

function readIssuers(text: string | null): Map<string, string> {
  const parsed: unknown = text === null ? {} : JSON.parse(text);
  const entries = typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : [];
  return new Map(entries.flatMap(([host, issuer]) => (typeof issuer === "string" ? [[host, issuer]] : [])));
}
