import { unknownModelStep } from "../../sim/api-error.ts";
import type { Step } from "../../sim/step.ts";
import { type FaultRow, NO_ACCOUNT, READY, refused, relayed, served } from "./faults-row.ts";

function status(code: number, rest: Partial<Extract<Step, { kind: "status" }>> = {}): Step {
  return { kind: "status", status: code, ...rest };
}

function onceThenServed(code: number): FaultRow {
  return {
    name: `${code} once`,
    accounts: [{ steps: [status(code)] }],
    asks: [served({ attempts: 2 })],
  };
}

function clientsOwn(code: number, errorType: string): FaultRow {
  return {
    name: `${code}, two accounts`,
    accounts: [{ steps: [status(code)] }, { steps: [] }],
    asks: [relayed(code, errorType)],
  };
}

/** Faults that are not the account's, credentials that are refused, and requests that are the client's own mistake. */
export const REFUSAL_ROWS: readonly FaultRow[] = [
  ...[500, 502, 503, 504, 529].map(onceThenServed),
  {
    name: "529 twice, two accounts",
    accounts: [{ steps: [status(529), status(529)] }, { steps: [] }],
    asks: [served({ by: 1, attempts: 3 })],
  },
  {
    name: "529 on every attempt, one account",
    accounts: [{ steps: [status(529), status(529), status(529)] }],
    asks: [relayed(529, "overloaded_error", { attempts: 2 })],
  },
  {
    name: "529 on every attempt, four accounts",
    accounts: Array.from({ length: 4 }, () => ({ steps: [status(529), status(529), status(529)] })),
    // RETRY_ATTEMPTS is 3: the first account twice, the second once.
    asks: [relayed(529, "overloaded_error", { by: 1, attempts: 3 })],
  },
  {
    name: "529 with x-should-retry: false, two accounts",
    accounts: [{ steps: [status(529, { headers: { "x-should-retry": "false" } })] }, { steps: [] }],
    asks: [served({ by: 1, attempts: 2 })],
  },
  {
    name: "529 with a retry-after of a minute, two accounts",
    accounts: [{ steps: [status(529, { headers: { "retry-after": "60" } })] }, { steps: [] }],
    asks: [served({ by: 1, attempts: 2 })],
  },
  {
    name: "500 on every attempt, one account",
    accounts: [{ steps: [status(500), status(500)] }],
    asks: [relayed(500, "api_error", { attempts: 2 })],
  },
  {
    name: "503 with a page of HTML on every attempt",
    accounts: [
      {
        steps: [1, 2].map(() => status(503, { body: "<html>\xe9</html>", headers: { "content-type": "text/html" } })),
      },
    ],
    asks: [relayed(503, null, { attempts: 2 })],
  },
  {
    name: "529 once, then 400",
    accounts: [{ steps: [status(529), status(400)] }, { steps: [] }],
    asks: [relayed(400, "invalid_request_error", { attempts: 2 })],
  },
  {
    name: "401 for a key, two accounts",
    accounts: [{ steps: [status(401)] }, { steps: [] }],
    asks: [served({ by: 1, attempts: 2 }), served({ by: 1 })],
    after: [{ state: "dead" }, READY],
  },
  {
    name: "401 for a key, one account",
    accounts: [{ steps: [status(401)] }],
    asks: [relayed(401, "authentication_error"), refused(503, NO_ACCOUNT)],
    after: [{ state: "dead" }],
  },
  {
    name: "401 for a bearer token, two accounts",
    accounts: [{ steps: [status(401)], kind: "bearer" }, { steps: [] }],
    asks: [served({ by: 1, attempts: 2 }), served({ by: 1 })],
    after: [{ state: "needs_reauth" }, READY],
  },
  {
    name: "401 on the first account, 529 on the second",
    accounts: [{ steps: [status(401)] }, { steps: [status(529), status(529)] }],
    asks: [relayed(529, "overloaded_error", { by: 1, attempts: 3 })],
    after: [{ state: "dead" }, READY],
  },
  {
    name: "529 on the first account, 401 on the second",
    accounts: [{ steps: [status(529), status(529)] }, { steps: [status(401)] }],
    asks: [relayed(529, "overloaded_error", { by: 0, attempts: 3 })],
    after: [READY, { state: "dead" }],
  },
  {
    name: "403 for one model class",
    accounts: [{ steps: [status(403)] }, { steps: [] }],
    asks: [
      { model: "claude-opus-4-5", ...served({ by: 1, attempts: 2 }) },
      { model: "claude-opus-4-5", ...served({ by: 1 }) },
      { model: "claude-sonnet-5-5", ...served({ by: 0 }) },
    ],
  },
  {
    name: "403 for two model classes",
    accounts: [{ steps: [status(403), status(403)] }, { steps: [] }],
    asks: [
      { model: "claude-opus-4-5", ...served({ by: 1, attempts: 2 }) },
      { model: "claude-sonnet-5-5", ...served({ by: 1, attempts: 2 }) },
      { model: "claude-haiku-4-5", ...served({ by: 1 }) },
    ],
    after: [{ state: "dead" }, READY],
  },
  {
    name: "404 for a model that the account lacks",
    accounts: [{ steps: [unknownModelStep("claude-opus-4-5")] }, { steps: [] }],
    asks: [
      { model: "claude-opus-4-5", ...served({ by: 1, attempts: 2 }) },
      { model: "claude-opus-4-5", ...served({ by: 1 }) },
      { model: "claude-sonnet-5-5", ...served({ by: 0 }) },
    ],
  },
  ...(["gzip", "br", "zstd"] as const).map(
    (encoding): FaultRow => ({
      name: `404 for a model that the account lacks, in ${encoding}`,
      accounts: [{ steps: [{ ...unknownModelStep("claude-opus-4-5"), encoding }] }, { steps: [] }],
      asks: [{ model: "claude-opus-4-5", ...served({ by: 1, attempts: 2 }) }],
    }),
  ),
  {
    name: "404 for a model on every account",
    accounts: [{ steps: [unknownModelStep("claude-x")] }, { steps: [unknownModelStep("claude-x")] }],
    asks: [{ model: "claude-x", ...relayed(404, "not_found_error", { by: 1, attempts: 2 }) }],
  },
  {
    name: "404 that is no error of the API",
    accounts: [
      { steps: [status(404, { body: "Not here", headers: { "content-type": "text/plain" } })] },
      { steps: [] },
    ],
    asks: [relayed(404, null)],
  },
  clientsOwn(400, "invalid_request_error"),
  clientsOwn(409, "conflict_error"),
  clientsOwn(413, "request_too_large"),
  clientsOwn(422, "invalid_request_error"),
  {
    name: "400 because the prompt is too long",
    accounts: [
      { steps: [status(400, { message: "prompt is too long: 210000 tokens > 200000 maximum" })] },
      { steps: [] },
    ],
    asks: [relayed(400, "invalid_request_error")],
  },
  {
    name: "413 before the body is read",
    accounts: [{ steps: [status(413, { waitForBody: false })] }, { steps: [] }],
    asks: [relayed(413, "request_too_large")],
  },
  {
    name: "400 in gzip",
    accounts: [{ steps: [status(400, { encoding: "gzip" })] }, { steps: [] }],
    asks: [relayed(400, "invalid_request_error")],
  },
];
