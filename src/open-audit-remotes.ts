import { hostname } from "node:os";
import type { Config, Secrets } from "./config/config.ts";
import { NO_SINK } from "./config/log-settings.ts";
import type { AuditRemote } from "./control/audit-port.ts";
import { createAuditWebhook } from "./upstream/audit-webhook.ts";
import { parseEndpointUrl } from "./upstream/endpoint-url.ts";
import { createSyslog, parseSyslogTarget } from "./upstream/syslog.ts";
import { createUpstream } from "./upstream/upstream.ts";

export type AuditRemotes = { readonly remotes: readonly AuditRemote[]; stop(): Promise<void> };

/** The places elsewhere that the configuration names. @throws Error with a sentence for the operator */
export function openAuditRemotes({ audit, upstream: place }: Config, secrets: Secrets): AuditRemotes {
  const addresses = { allowPrivate: place.allowPrivate, privateNetworks: place.allowPrivateNetworks };
  const remotes: AuditRemote[] = [];
  if (audit.syslog !== NO_SINK) {
    const target = parseSyslogTarget(audit.syslog);
    if (target === null) throw new Error(`Cannot use audit.syslog: ${audit.syslog} has no valid port`);
    remotes.push(createSyslog({ target, hostname: hostname(), processId: process.pid }));
  }
  if (audit.webhookUrl === NO_SINK || secrets.auditWebhook === null) return { remotes, stop: async () => undefined };
  const url = parseEndpointUrl(audit.webhookUrl, addresses);
  if (!url.ok) throw new Error(`Cannot use audit.webhookUrl. ${url.error}`);
  // A client of its own: its sockets and its stop have nothing to do with requests.
  const upstream = createUpstream(addresses);
  remotes.push(createAuditWebhook({ upstream, url: url.value, secret: secrets.auditWebhook, nowMs: Date.now }));
  return { remotes, stop: () => upstream.stop() };
}
