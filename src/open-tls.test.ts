import { afterAll, expect, test } from "bun:test";
import { createCertificateAuthority } from "../sim/certificate-authority.ts";
import type { Config } from "./config/config.ts";
import { loadConfig } from "./config/load-config.ts";
import type { AuditDraft, AuditedChanges } from "./control/audit-port.ts";
import { err } from "./kernel/result.ts";
import { epochMs } from "./kernel/time.ts";
import { createLog } from "./observe/log.ts";
import { openTlsDoor } from "./open-tls.ts";

const authority = createCertificateAuthority();
afterAll(() => authority[Symbol.dispose]());

const DAY_MS = 86_400_000;

function inDays(days: number): string {
  return `${new Date(Date.now() + days * DAY_MS).toISOString().replaceAll(/[-:T]/g, "").slice(0, 14)}Z`;
}

function openWith(env: Record<string, string>) {
  const loaded = loadConfig({
    flags: {},
    env: { HOME: "/home/op", BUN_CONFIG_MAX_HTTP_REQUESTS: "65535", ...env },
    readFile: () => err("absent"),
  });
  if (!loaded.ok) throw new Error("Cannot load");
  const config: Config = loaded.value.config;
  let nowMs = Date.now();
  const ticks: (() => void)[] = [];
  const lines: string[] = [];
  const drafts: AuditDraft[] = [];
  const tls = openTlsDoor({
    config,
    log: createLog({ level: "info", format: "json", write: (line) => lines.push(line) }),
    clock: {
      now: () => epochMs(nowMs),
      sleep: () => Promise.resolve(),
      every(_span, callback) {
        ticks.push(callback);
        return () => void ticks.splice(ticks.indexOf(callback), 1);
      },
    },
    changes: {
      change: () => Promise.reject(new Error("Cannot be: nothing is changed")),
      async note(draft) {
        drafts.push(draft);
      },
    } satisfies AuditedChanges,
  });
  const tick = (ms: number) => {
    nowMs += ms;
    for (const each of [...ticks]) each();
  };
  return { tls, tick, lines, drafts, ticks };
}

test("a certificate of less than 14 days is warned of once a day", () => {
  const pair = authority.issue("short", { names: "DNS:localhost", endsAt: inDays(10) });
  const { tls, tick, lines, ticks } = openWith({ SSL_CERT_PATH: pair.certFile, SSL_KEY_PATH: pair.keyFile });
  tls.start();
  const warnings = () => lines.filter((line) => line.includes("expires soon")).length;
  expect(warnings()).toBe(1);
  tick(60_000);
  expect(warnings()).toBe(1);
  tick(DAY_MS);
  expect(warnings()).toBe(2);
  tick(10 * DAY_MS);
  expect(lines.at(-1)).toContain("The certificate expired");
  tls.stop();
  expect(ticks).toEqual([]);
});

test("T-25.05 refused client certificates are added up per reason, and noted once a minute and at the end", () => {
  const pair = authority.issue("long", { names: "DNS:localhost" });
  const { tls, tick, drafts } = openWith({ SSL_CERT_PATH: pair.certFile, SSL_KEY_PATH: pair.keyFile });
  tls.start();
  for (const reason of ["not_listed", "not_listed", "cert_revoked"]) tls.door?.onRefusedClient(reason);
  tick(60_000);
  tick(60_000);
  tls.door?.onRefusedClient("not_listed");
  tls.stop();
  expect(drafts).toMatchObject([
    { code: "TLS002E", reason: "not_listed", after: { count: 2 } },
    { code: "TLS002E", reason: "cert_revoked", after: { count: 1 } },
    { code: "TLS002E", reason: "not_listed", after: { count: 1 } },
  ]);
});

test("T-25.11 NODE_EXTRA_CA_CERTS is logged and audited, with TLS on the listener or without", () => {
  const { tls, lines, drafts } = openWith({ NODE_EXTRA_CA_CERTS: "/etc/ca.pem" });
  expect(tls.door).toBeNull();
  tls.start();
  expect(lines.join("")).toContain("NODE_EXTRA_CA_CERTS");
  expect(drafts).toMatchObject([{ code: "TLS003I", after: { file: "/etc/ca.pem" } }]);
});
