import type { Config } from "./config/config.ts";
import { SYSTEM } from "./control/acting.ts";
import type { AuditDraft, AuditedChanges } from "./control/audit-port.ts";
import type { Clock } from "./gateway/ports.ts";
import type { TlsDoor } from "./http/http1/handshakes.ts";
import type { TlsPaths, TlsProblem } from "./http/tls/tls-files.ts";
import { openTls } from "./http/tls/tls-keeper.ts";
import type { TlsTerms } from "./http/tls/tls-terms.ts";
import { durationMs } from "./kernel/time.ts";
import type { Log } from "./observe/log.ts";

export type TlsNeeds = {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly changes: AuditedChanges;
};

export type RunningTls = {
  /** Null: no certificate is configured. */
  readonly door: TlsDoor | null;
  /** Once the audit log has begun. */
  start(): void;
  stop(): void;
};

const REFUSALS_MS = durationMs(60_000);
const DAY_MS = 86_400_000;
/** Renewals begin a month before; what is left now was forgotten. */
const EXPIRY_WARNING_MS = 14 * DAY_MS;

/** @throws Error with a sentence for the operator when a file cannot be used. */
export function openTlsDoor({ config, log, clock, changes }: TlsNeeds): RunningTls {
  const paths = pathsOf(config);
  const note = (draft: AuditDraft) =>
    void changes.note(draft).catch((cause: unknown) => log.error("The audit log cannot be written", { error: cause }));
  const noteAuthorities = () => {
    const file = config.furtherAuthoritiesFile;
    if (file === null) return;
    log.warn("NODE_EXTRA_CA_CERTS: its authorities are trusted as upstream's, beside the public ones", { file });
    note({
      code: "TLS003I",
      actor: SYSTEM,
      object: { type: "tls", id: "NODE_EXTRA_CA_CERTS", name: null },
      after: { file },
    });
  };
  if (paths === null) return { door: null, start: noteAuthorities, stop: () => undefined };
  const opened = openTls({
    paths,
    minVersion: config.tls.minVersion,
    clock,
    onSwapped({ validUntil, fingerprint }: TlsTerms) {
      log.info("New TLS files are in use, for connections from now on", { file: paths.certFile, until: validUntil });
      note({ code: "TLS001I", actor: SYSTEM, object: certificateObject(paths), after: { fingerprint, validUntil } });
    },
    onRefused(problem) {
      log.error("New TLS files cannot be used; those before stay in use", { file: problem.file, detail: problem.fact });
      note({ code: "TLS001E", actor: SYSTEM, object: certificateObject(paths), reason: sentence(problem) });
    },
  });
  if (!opened.ok) throw new Error(sentence(opened.error));
  const keeper = opened.value;
  const refusals = new Map<string, number>();
  let endTicks: (() => void) | null = null;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  const warnOfExpiry = () => {
    const { validUntil: until } = keeper.terms;
    const leftMs = Date.parse(until) - clock.now();
    if (leftMs > EXPIRY_WARNING_MS || clock.now() - toldAtMs < DAY_MS) return;
    toldAtMs = clock.now();
    const text = leftMs > 0 ? "The certificate expires soon" : "The certificate expired: no client trusts it";
    log.warn(text, { file: paths.certFile, until });
  };
  const noteRefusals = () => {
    for (const [reason, count] of refusals) {
      log.warn("Client certificates were refused", { reason, count });
      note({ code: "TLS002E", actor: SYSTEM, object: certificateObject(paths), after: { count }, reason });
    }
    refusals.clear();
  };
  return {
    door: {
      terms: () => keeper.terms,
      clientNames: config.tls.clientNames,
      // The words are those of the TLS library and our own: as many as those, whoever calls.
      onRefusedClient: (reason) => refusals.set(reason, (refusals.get(reason) ?? 0) + 1),
    },
    start() {
      noteAuthorities();
      endTicks = clock.every(REFUSALS_MS, () => {
        noteRefusals();
        warnOfExpiry();
      });
      const { validUntil: until } = keeper.terms;
      log.info("The certificate is in use", { file: paths.certFile, until });
      warnOfExpiry();
    },
    stop() {
      endTicks?.();
      keeper.stop();
      noteRefusals();
    },
  };
}

/** What a start would say of the TLS files; null when they are good, or there are none. */
export function tlsFilesProblem(config: Config, clock: Clock): string | null {
  const paths = pathsOf(config);
  if (paths === null) return null;
  const nothing = () => undefined;
  const { minVersion } = config.tls;
  const opened = openTls({ paths, minVersion, clock, onSwapped: nothing, onRefused: nothing });
  if (!opened.ok) return sentence(opened.error);
  opened.value.stop();
  return null;
}

function pathsOf({ tls }: Config): TlsPaths | null {
  const given = (path: string) => (path === "none" ? null : path);
  const certFile = given(tls.certFile);
  const keyFile = given(tls.keyFile);
  if (certFile === null || keyFile === null) return null;
  return { certFile, keyFile, clientCaFile: given(tls.clientCaFile), crlFile: given(tls.crlFile) };
}

function certificateObject({ certFile }: TlsPaths): AuditDraft["object"] {
  return { type: "tls", id: certFile, name: null };
}

function sentence({ file, fact, fix }: TlsProblem): string {
  return `Cannot use ${file}: ${fact}\n  fix: ${fix}`;
}
