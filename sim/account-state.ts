import { createHash } from "node:crypto";
import type { Limits, UnifiedWindows } from "./rate-limit.ts";
import type { RecordedRequest } from "./record-log.ts";
import type { Step } from "./step.ts";

export type AccountOptions = {
  /** Default: an organization of its own, derived from the credential. */
  readonly organization?: string;
  /** Default: one workspace per organization. */
  readonly workspace?: string;
  /** Default: the credential is accepted either way. */
  readonly kind?: "api_key" | "bearer";
  /** From this instant of the simulator's clock on the credential gets 401. Default: never. */
  readonly expiresAtMs?: number;
  /** Given: requests for other models get 404. Default: the current models, and nothing is refused. */
  readonly models?: readonly SimulatedModel[];
  /** Shared by all accounts of the organization; the first account that states them wins. */
  readonly limits?: Limits;
  readonly unified?: UnifiedWindows;
};

export type SimulatedModel = { readonly id: string; readonly displayName: string };

export interface SimulatedAccount {
  /**
   * Answers queued one per request, in order; when empty, the default step is used. A step with `path` waits for a
   * request to that path; one without answers everything under /v1 but token counting and models. At most 10,000 wait.
   */
  enqueue(...steps: Step[]): void;
  /** The answer to requests for `step.path` (default "/v1/messages") that no queued step answers. */
  setDefault(step: Step): void;
  /** From the next answer on. Undefined sends no unified headers any more. */
  setUnified(windows: UnifiedWindows | undefined): void;
  readonly requests: readonly RecordedRequest[];
}

export type AccountState = {
  readonly credential: string;
  readonly options: AccountOptions;
  readonly organization: string;
  /** Key of the prompt cache. */
  readonly workspace: string;
  readonly queue: Step[];
  readonly defaults: Map<string, Step>;
  unified: UnifiedWindows | undefined;
};

export const MESSAGES_PATH = "/v1/messages";
const MAX_QUEUED_STEPS = 10_000;

export function newAccountState(credential: string, options: AccountOptions): AccountState {
  const organization = options.organization ?? organizationIdOf(credential);
  return {
    credential,
    options,
    organization,
    workspace: `${organization}/${options.workspace ?? "default"}`,
    queue: [],
    defaults: new Map(),
    unified: options.unified,
  };
}

export function accountHandle(
  state: AccountState,
  requestsOf: (credential: string) => readonly RecordedRequest[],
): SimulatedAccount {
  return {
    enqueue(...steps) {
      if (state.queue.length + steps.length > MAX_QUEUED_STEPS) {
        throw new Error(`Cannot enqueue ${steps.length} steps: at most ${MAX_QUEUED_STEPS} may wait`);
      }
      state.queue.push(...steps);
    },
    setDefault(step) {
      state.defaults.set(step.path ?? MESSAGES_PATH, step);
    },
    setUnified(windows) {
      state.unified = windows;
    },
    get requests() {
      return requestsOf(state.credential);
    },
  };
}

/** The step that answers a request for `path`, which stays queued; null when the script does not care. */
export function peekStep(state: AccountState, path: string): Step | null {
  if (state.queue.length > 0) {
    const queued = state.queue.find((step) => (step.path === undefined ? !isSideEndpoint(path) : step.path === path));
    if (queued !== undefined) return queued;
  }
  return state.defaults.get(path) ?? null;
}

/** Clients and gateways ask these on their own, so that they must not eat steps that were meant for messages. */
function isSideEndpoint(path: string): boolean {
  return path === `${MESSAGES_PATH}/count_tokens` || path.startsWith("/v1/models");
}

/** Removes a step that `peekStep` gave, if it came from the queue. */
export function consumeStep(state: AccountState, step: Step): void {
  const at = state.queue.indexOf(step);
  if (at !== -1) state.queue.splice(at, 1);
}

/** A UUID, the same for the same credential in every run. */
function organizationIdOf(credential: string): string {
  const hex = createHash("sha256").update(`organization of ${credential}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
