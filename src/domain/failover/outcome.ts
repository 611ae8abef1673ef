import type { LimitFacts } from "../ratelimit/limit-facts.ts";

/** As `UpstreamFailureKind`, without `aborted`: a client that leaves says nothing about the upstream. */
export type AttemptFailure =
  | "connect"
  | "connect_timeout"
  | "address_refused"
  | "headers_timeout"
  | "idle_timeout"
  | "total_timeout"
  | "reset"
  | "protocol";

/** How one request to one account ended, before any content byte reached the client. */
export type AttemptOutcome =
  | {
      readonly kind: "answer";
      /** As received; for a 200 whose first event is an error, the status that this error names. */
      readonly status: number;
      readonly limits: LimitFacts;
      /** `error.type`; null for a success, or when the body is not in the API's shape. */
      readonly errorType: string | null;
      /** `error.message`, at most 2 KiB; null for a success. */
      readonly errorMessage: string | null;
    }
  | {
      readonly kind: "failure";
      readonly failure: AttemptFailure;
      /** Did any byte of the request reach the socket? */
      readonly wasSent: boolean;
    };
