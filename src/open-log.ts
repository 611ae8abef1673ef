import type { Config, Secrets } from "./config/config.ts";
import { NO_LOG_FILE } from "./config/log-settings.ts";
import { createLiveSecrets, type LiveSecrets } from "./keyring/live-secrets.ts";
import { type AdjustableLog, createLog } from "./observe/log.ts";
import type { LogFileOptions } from "./observe/log-file.ts";
import { type LogOutlets, openLogOutlets } from "./observe/log-outlets.ts";
import { createRedactor } from "./observe/redactor.ts";

export type RunningLog = {
  readonly log: AdjustableLog;
  readonly outlets: LogOutlets;
  /** What the log leaves out wherever it turns up. */
  readonly live: LiveSecrets;
};

const DAY_MS = 86_400_000;

/** @throws the system's error when the log file cannot be used. */
export function openLog(config: Config, secrets: Secrets): RunningLog {
  const live = createLiveSecrets();
  for (const secret of [secrets.encryptionKey, secrets.passphrase, secrets.auditWebhook])
    if (secret !== null) live.add(secret);
  const outlets = openLogOutlets(logFileOf(config));
  const log = createLog({ ...config.log, ...outlets, redactor: createRedactor({ find: live.find }) });
  return { log, outlets, live };
}

function logFileOf({ log }: Config): LogFileOptions | null {
  if (log.file === NO_LOG_FILE) return null;
  return {
    path: log.file,
    maxBytes: log.fileMaxBytes,
    keepFiles: log.files,
    maxAgeMs: log.maxAgeDays * DAY_MS,
    nowMs: Date.now,
  };
}
