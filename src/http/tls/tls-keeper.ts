import type { Clock } from "../../gateway/ports.ts";
import { err, ok, type Result } from "../../kernel/result.ts";
import { durationMs, type EpochMs } from "../../kernel/time.ts";
import { readTlsFiles, stampOf, type TlsPaths, type TlsProblem } from "./tls-files.ts";
import { type TlsTerms, type TlsVersion, tlsTerms, withNewTickets } from "./tls-terms.ts";

export type TlsKeeperOptions = {
  readonly paths: TlsPaths;
  readonly minVersion: TlsVersion;
  readonly clock: Clock;
  /** New files are in use, for connections from now on. */
  readonly onSwapped: (terms: TlsTerms) => void;
  /** New files are there and no good: what was in use before stays. Called once for each change of them. */
  readonly onRefused: (problem: TlsProblem) => void;
};

export interface TlsKeeper {
  /** What the next handshake is made with. */
  readonly terms: TlsTerms;
  /** Ends the looking. */
  stop(): void;
}

/** How often the files are looked at. A change is taken when they were the same twice: whoever writes has ended. */
export const LOOK_MS = 2_000;
/** Keys of session tickets are new after this; a ticket made before is then worth nothing. */
export const TICKET_KEYS_MS = 12 * 3_600_000;

/** Reads and checks the files, and takes over what replaces them while the gateway runs. */
export function openTls(options: TlsKeeperOptions): Result<TlsKeeper, TlsProblem> {
  const { paths, minVersion, clock } = options;
  const read = (nowMs: EpochMs): Result<TlsTerms, TlsProblem> => {
    const texts = readTlsFiles(paths);
    return texts.ok ? tlsTerms({ paths, texts: texts.value, minVersion, nowMs, salt: crypto.randomUUID() }) : texts;
  };
  let usedStamp = stampOf(paths);
  let lastStamp = usedStamp;
  let madeAtMs = clock.now();
  const first = read(madeAtMs);
  if (!first.ok) return err(first.error);
  let terms = first.value;

  function look(): void {
    const stamp = stampOf(paths);
    const isSettled = stamp === lastStamp;
    lastStamp = stamp;
    const nowMs = clock.now();
    if (isSettled && stamp !== usedStamp) {
      usedStamp = stamp;
      const next = read(nowMs);
      if (next.ok) {
        terms = next.value;
        madeAtMs = nowMs;
        options.onSwapped(terms);
      } else options.onRefused(next.error);
    } else if (nowMs - madeAtMs >= TICKET_KEYS_MS) {
      madeAtMs = nowMs;
      terms = withNewTickets(terms, crypto.randomUUID());
    }
  }

  const stop = clock.every(durationMs(LOOK_MS), look);
  return ok({
    get terms() {
      return terms;
    },
    stop,
  });
}
