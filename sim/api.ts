import type { AccountState } from "./account-state.ts";
import { consumeStep, MESSAGES_PATH, peekStep } from "./account-state.ts";
import type { Answer, AnswerFrame, HeaderPair } from "./answer.ts";
import { errorAnswer, jsonAnswer, streamAnswer } from "./answer.ts";
import { apiError } from "./api-error.ts";
import type { AnswerMessage } from "./message.ts";
import { buildMessage } from "./message.ts";
import { findModel, listModels } from "./models-endpoint.ts";
import type { CachePlan, PromptCache } from "./prompt-cache.ts";
import type { RateLimiter } from "./rate-limit.ts";
import { modelClass, unifiedHeaders } from "./rate-limit.ts";
import type { MessagesBody } from "./request-body.ts";
import { readMessagesBody } from "./request-body.ts";
import { errorEvent } from "./sse-print.ts";
import type { AutoStep, MessageStep, RawStep, RefuseStep, ResetStep, SilenceStep, Step, StreamStep } from "./step.ts";

/** A request that is here whole, or as far as its answer needs it. */
export type ApiRequest = {
  readonly method: string;
  readonly target: string;
  readonly body: Uint8Array;
  /** Null: the credential is unknown, absent or ambiguous. */
  readonly account: AccountState | null;
};

export type Reaction =
  | { readonly kind: "answer"; readonly answer: Answer }
  | RawStep
  | RefuseStep
  | ResetStep
  | SilenceStep;

export type ApiWorld = {
  readonly nowMs: () => number;
  /** A number that no other answer of this simulator has. */
  readonly nextId: () => number;
  readonly promptCache: PromptCache;
  readonly limiterOf: (organization: string) => RateLimiter | null;
};

type ContentStep = AutoStep | MessageStep | StreamStep;

/** Decides what a request gets. The queue of its account is consumed here and nowhere else. */
export function react(world: ApiWorld, request: ApiRequest): Reaction {
  const frame = frameOf(world, request);
  const path = apiPath(request.target);
  if (isProbe(request.method, path)) return answered(jsonAnswer(frame, { body: "" }));
  if (!path.startsWith("/v1/")) return answered(errorAnswer(frame, { status: 404, message: "Not found" }));
  if (request.account === null) return answered(errorAnswer(frame, { status: 401 }));
  const scene = { world, request, account: request.account, frame };
  const step = peekStep(request.account, path);
  return step === null ? natural(scene, path) : playStep(step, scene);
}

/** Without query, and without what a base URL may put before "/v1/". */
export function apiPath(target: string): string {
  const queryAt = target.indexOf("?");
  const path = queryAt === -1 ? target : target.slice(0, queryAt);
  return path.slice(Math.max(0, path.indexOf("/v1/")));
}

/** Claude Code asks `HEAD /` and `HEAD /api/hello` whether anybody is there (protocol.md, P3). */
function isProbe(method: string, path: string): boolean {
  return (method === "HEAD" || method === "GET") && (path === "/" || path === "/api/hello");
}

type Scene = {
  readonly world: ApiWorld;
  readonly request: ApiRequest;
  readonly account: AccountState;
  readonly frame: AnswerFrame;
};

function answered(answer: Answer): Reaction {
  return { kind: "answer", answer };
}

function frameOf(world: ApiWorld, request: ApiRequest): AnswerFrame {
  const { account } = request;
  return {
    requestId: `req_011sim${String(world.nextId()).padStart(18, "0")}`,
    organization: account?.organization ?? null,
    nowMs: world.nowMs(),
    method: request.method,
    extraHeaders: account?.unified === undefined ? [] : unifiedHeaders(account.unified),
  };
}

function playStep(step: Step, scene: Scene): Reaction {
  if (step.kind === "auto" || step.kind === "message" || step.kind === "stream") return speak(step, scene);
  consumeStep(scene.account, step);
  if (step.kind === "status") {
    const { status, errorType: type, message, body } = step;
    if (body !== undefined)
      return answered(verbatimAnswer(jsonAnswer(scene.frame, { status, body, delivery: step }), body));
    return answered(errorAnswer(scene.frame, { status, type, message, delivery: step }));
  }
  if (step.kind === "streamError") {
    const error = apiError(529, { type: step.errorType, message: step.message });
    const pings = Array.from({ length: step.pings ?? 0 }, () => ({ event: "ping", data: { type: "ping" } }));
    return answered(streamAnswer(scene.frame, [...pings, errorEvent(error)], step));
  }
  return step;
}

/** The script's own body is latin1, byte for byte. */
function verbatimAnswer(answer: Answer, body: string): Answer {
  return { ...answer, parts: [Buffer.from(body, "latin1")] };
}

function natural(scene: Scene, pathname: string): Reaction {
  const { request, frame, account } = scene;
  if (request.method === "POST" && pathname === MESSAGES_PATH) return speak({ kind: "auto" }, scene);
  if (request.method === "POST" && pathname === `${MESSAGES_PATH}/count_tokens`) {
    const plan = scene.world.promptCache.plan(account.workspace, readMessagesBody(request.body));
    return answered(jsonAnswer(frame, { body: { input_tokens: totalInput(plan) } }));
  }
  if (pathname === "/v1/models") {
    return answered(jsonAnswer(frame, { body: listModels(account.options.models, queryOf(request.target)) }));
  }
  if (pathname.startsWith("/v1/models/")) {
    const id = decodeURIComponent(pathname.slice("/v1/models/".length));
    const model = findModel(account.options.models, id);
    return answered(
      model === null
        ? errorAnswer(frame, { status: 404, message: `model: ${id}` })
        : jsonAnswer(frame, { body: model }),
    );
  }
  const echo = { type: "echo", method: request.method, target: request.target, body_bytes: request.body.length };
  return answered(jsonAnswer(frame, { body: echo }));
}

function queryOf(target: string): URLSearchParams {
  const at = target.indexOf("?");
  return new URLSearchParams(at === -1 ? "" : target.slice(at));
}

/** The model answers, if the account has it and its limits allow. A refusal leaves the step queued. */
function speak(step: ContentStep, scene: Scene): Reaction {
  const { world, account, frame } = scene;
  const body = readMessagesBody(scene.request.body);
  const { models } = account.options;
  if (models?.every((model) => model.id !== body.model) === true) {
    return answered(errorAnswer(frame, { status: 404, message: `model: ${body.model}` }));
  }
  const plan = world.promptCache.plan(account.workspace, body);
  const limiter = world.limiterOf(account.organization);
  const demand = {
    model: body.model,
    inputTokens: totalInput(plan) - plan.cacheReadTokens,
    outputTokens: body.maxTokens,
  };
  const grant = limiter?.take(demand);
  const headers: readonly HeaderPair[] = limiter?.headers(body.model) ?? [];
  const limited = { ...frame, extraHeaders: [...headers, ...frame.extraHeaders] };
  if (grant?.granted === false) {
    return answered(limitAnswer(limited, { ...grant, model: body.model }));
  }
  consumeStep(account, step);
  const message = buildMessage(step, {
    id: `msg_01sim${String(world.nextId()).padStart(19, "0")}`,
    body,
    input: plan,
    organization: account.organization,
  });
  grant?.settle(message.outputTokens);
  return answered({ ...spoken(step, { body, message, frame: limited }), onBegin: () => plan.commit() });
}

function spoken(
  step: ContentStep,
  said: { readonly body: MessagesBody; readonly message: AnswerMessage; readonly frame: AnswerFrame },
): Answer {
  const isStream = step.kind === "stream" || (step.kind === "auto" && said.body.isStream);
  return isStream
    ? streamAnswer(said.frame, said.message.events, step)
    : jsonAnswer(said.frame, { body: said.message.json, delivery: step });
}

function limitAnswer(
  frame: AnswerFrame,
  refusal: { readonly retryAfterSeconds: number; readonly exhausted: string; readonly model: string },
): Answer {
  const organization = frame.organization ?? "";
  return errorAnswer(
    { ...frame, extraHeaders: [["retry-after", String(refusal.retryAfterSeconds)], ...frame.extraHeaders] },
    {
      status: 429,
      message: `This request would exceed your organization's (${organization}) rate limit of ${refusal.exhausted} for ${modelClass(refusal.model)} models. Please try again later.`,
    },
  );
}

function totalInput(plan: CachePlan): number {
  return plan.inputTokens + plan.cacheReadTokens + plan.cacheWrite5mTokens + plan.cacheWrite1hTokens;
}
