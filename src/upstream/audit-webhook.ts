import { createHmac } from "node:crypto";
import type { AuditRemote } from "../control/audit-port.ts";
import type { HeaderField, Upstream } from "../gateway/ports.ts";
import { err, ok } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import { durationMs } from "../kernel/time.ts";
import { readWhole } from "./read-whole.ts";

const LIMIT_MS = durationMs(15_000);
/** Of the answer: it is read so that the connection can be used again, and thrown away. */
const MAX_ANSWER_BYTES = 64 * 1024;

export type WebhookOptions = {
  readonly upstream: Upstream;
  /** As `parseEndpointUrl` gives it. */
  readonly url: string;
  readonly secret: Secret;
  readonly nowMs: () => number;
};

/**
 * Posts lines of the audit log, one JSON object per line. `x-bccf-signature` is `t=<Unix seconds>,v1=<hex>`, the HMAC-SHA-256
 * under the secret over the seconds, a dot and the body: a receiver checks it, and refuses what is older than five minutes.
 */
export function createAuditWebhook({ upstream, url, secret, nowMs }: WebhookOptions): AuditRemote {
  const { origin, pathname, host } = new URL(url);
  return {
    name: "webhook",
    target: host,
    async send(lines) {
      const body = Buffer.from(lines.map(({ text }) => `${text}\n`).join(""), "utf8");
      const seconds = Math.floor(nowMs() / 1000);
      const mac = createHmac("sha256", secret.reveal()).update(`${seconds}.`).update(body).digest("hex");
      const headers: readonly HeaderField[] = [
        ["content-type", "application/x-ndjson"],
        ["accept-encoding", "identity"],
        ["user-agent", "better-ccflare"],
        ["x-bccf-signature", `t=${seconds},v1=${mac}`],
      ];
      const sent = await upstream.send(
        {
          baseUrl: origin,
          method: "POST",
          target: pathname,
          headers,
          credentialKind: "bearer",
          credential: null,
          body,
          deadlines: { connectMs: LIMIT_MS, headersMs: LIMIT_MS, idleMs: LIMIT_MS, totalMs: LIMIT_MS },
        },
        AbortSignal.timeout(LIMIT_MS),
      );
      if (!sent.ok) return err(sent.error.detail);
      await readWhole(sent.value.body, MAX_ANSWER_BYTES);
      const { status } = sent.value;
      return status >= 200 && status < 300 ? ok(undefined) : err(`it answered with status ${status}`);
    },
    close: () => undefined,
  };
}
