import type { Step } from "../../sim/step.ts";

/** One fault: what upstream does, and what client, pool and ledger make of it. The guide prints these rows. */
export type FaultRow = {
  /** A sentence about upstream, and the name of the test. Unique. */
  readonly name: string;
  /** In the order in which they are used. Default of each: it answers. */
  readonly accounts: readonly ScriptedAccount[];
  /** One after the other. */
  readonly asks: readonly Ask[];
  /** The accounts after the last ask, in their order. Default: all ready. */
  readonly after?: readonly AccountAfter[];
};

export type ScriptedAccount = {
  /** Answers in order; then it answers as it should. */
  readonly steps: readonly Step[] | ((clock: RowClock) => readonly Step[]);
  readonly kind?: "api_key" | "bearer";
  /** Accounts with the same one share their limits. */
  readonly organization?: string;
  /** Default 100, as every other account; names decide then. */
  readonly priority?: number;
  /** "nobody": a port on which nobody listens. */
  readonly upstream?: "simulator" | "nobody";
};

/** Instants ahead of the start of the row, on whole seconds. */
export type RowClock = {
  epochSeconds(inSeconds: number): string;
  rfc3339(inSeconds: number): string;
  httpDate(inSeconds: number): string;
};

export type Ask = {
  readonly isStream?: boolean;
  /** Default claude-sonnet-5-5. */
  readonly model?: string;
  /** The client goes away: once upstream has the request, after the first content, or while it waits in the queue. */
  readonly leaves?: "before headers" | "mid-stream" | "in the queue";
  readonly client: ClientSees;
  readonly ledger: LedgerSays;
};

export type ClientSees = {
  /** Null: the client left before there was one. */
  readonly status: number | null;
  /** Whose words the body is. "upstream": byte for byte what an account sent. */
  readonly words: "upstream" | "gateway" | "nobody";
  /** Our own code, when the words are the gateway's. */
  readonly code?: string;
  readonly errorType?: string | null;
  /** Requests sent upstream for this one: the header x-better-ccflare-attempts, and what upstream counted. */
  readonly attempts: number;
  /** broken: the connection ends before the framing says so. own error: before that, an error event of ours. */
  readonly end: "whole" | "broken" | "own error";
  /** Is message_stop there? Only for streams. */
  readonly hasStop?: boolean;
  /** Pings of our own between upstream's events: at least so many, or none. Only for streams. */
  readonly ownPings?: { readonly atLeast: number } | "none";
  /** retry-after of a refusal of ours: whole seconds within these bounds. */
  readonly retryAfter?: readonly [least: number, most: number];
};

export type LedgerSays = {
  readonly outcome: "completed" | "upstream_error" | "client_gone" | "truncated" | "refused";
  readonly status: number | null;
  readonly attempts: number;
  /** Place in `accounts`; null: none. */
  readonly account: number | null;
  readonly errorType: string | null;
  /** whole: as upstream counted at the end. partial: what it said so far, output estimated. */
  readonly usage: "whole" | "partial" | "none";
  /** The wait in the queue, milliseconds. Default: none. */
  readonly queuedMs?: readonly [least: number, most: number];
};

export type AccountAfter = {
  readonly state: "ready" | "limited" | "needs_reauth" | "dead";
  /** Seconds after the row's last answer; a range where chance decides. Absent: nobody knows, or it is ready. */
  readonly forSeconds?: number | readonly [least: number, most: number];
  /** A fixed instant, RFC 3339. */
  readonly until?: string;
  /** Windows that must be among those shown. */
  readonly windows?: readonly { readonly name: string; readonly status?: string; readonly remaining?: number }[];
};

export const READY: AccountAfter = { state: "ready" };

/** What the accounts count, so that whole and partial usage can be told apart. */
export const INPUT_TOKENS = 25;
export const OUTPUT_TOKENS = 1_500;
export const FIGURES = {
  usage: { input_tokens: INPUT_TOKENS },
  finalUsage: { output_tokens: OUTPUT_TOKENS },
} as const;

type Expected = Pick<Ask, "client" | "ledger">;
type By = { readonly by?: number; readonly attempts?: number };

/** The account at `by` answered. */
export function served({ by = 0, attempts = 1 }: By = {}): Expected {
  return {
    client: { status: 200, words: "upstream", attempts, end: "whole" },
    ledger: { outcome: "completed", status: 200, attempts, account: by, errorType: null, usage: "whole" },
  };
}

export function servedStream(by: By = {}): Expected & { readonly isStream: true } {
  const { client, ledger } = served(by);
  return { isStream: true, client: { ...client, hasStop: true }, ledger };
}

/** Upstream's own error, unchanged. */
export function relayed(status: number, errorType: string | null, { by = 0, attempts = 1 }: By = {}): Expected {
  return {
    client: { status, words: "upstream", errorType, attempts, end: "whole" },
    ledger: { outcome: "upstream_error", status, attempts, account: by, errorType, usage: "none" },
  };
}

type Refused = By & { readonly retryAfter?: readonly [number, number] };

/** An answer of the gateway's own. `attempts` 0: nothing was sent upstream. */
export function refused(
  status: number,
  [code, errorType]: readonly [code: string, errorType: string],
  { by, attempts = 0, retryAfter }: Refused = {},
): Expected {
  return {
    client: {
      status,
      words: "gateway",
      code,
      errorType,
      attempts,
      end: "whole",
      ...(retryAfter === undefined ? {} : { retryAfter }),
    },
    ledger: {
      outcome: attempts > 0 ? "upstream_error" : "refused",
      status,
      attempts,
      account: by ?? (attempts > 0 ? 0 : null),
      errorType,
      usage: "none",
    },
  };
}

export const UNREACHABLE = ["GW_UPSTREAM_UNREACHABLE", "api_error"] as const;
export const TIMEOUT = ["GW_UPSTREAM_TIMEOUT", "timeout_error"] as const;
export const ALL_LIMITED = ["GW_ALL_LIMITED", "rate_limit_error"] as const;
export const NO_ACCOUNT = ["GW_NO_ACCOUNT", "api_error"] as const;

/** A stream that upstream broke off after content. */
export function cutStream(
  end: "own error" | "broken",
  { by = 0, attempts = 1 }: By = {},
): Expected & { readonly isStream: true } {
  return {
    isStream: true,
    client: { status: 200, words: "upstream", attempts, end, hasStop: false },
    ledger: { outcome: "truncated", status: 200, attempts, account: by, errorType: null, usage: "partial" },
  };
}

/** A 200 whose stream says an error, relayed as it is. */
export function erroredStream(
  errorType: string,
  { by = 0, attempts = 1, usage = "none" }: By & { readonly usage?: LedgerSays["usage"] } = {},
): Expected & { readonly isStream: true } {
  return {
    isStream: true,
    client: { status: 200, words: "upstream", errorType, attempts, end: "whole", hasStop: false },
    ledger: { outcome: "upstream_error", status: 200, attempts, account: by, errorType, usage },
  };
}
