import { actingAs } from "../../control/acting.ts";
import type { AuditActor } from "../../control/audit-port.ts";
import type { DoorTally } from "../../control/door-tally.ts";
import type { Principal } from "../../control/principal.ts";
import { StoreUnavailable } from "../../control/store-unavailable.ts";
import { addressText } from "../../domain/access/ip-address.ts";
import { createBodyBudget } from "../../gateway/body-budget.ts";
import type { Answer, Call } from "../../gateway/call.ts";
import { err, ok, type Result } from "../../kernel/result.ts";
import type { EpochMs } from "../../kernel/time.ts";
import { type RouteEntry, routeKey } from "../routes/route-entry.ts";
import type { RouteTable } from "../routes/route-table.ts";
import type { AdminApp } from "./admin-app.ts";
import { hasJsonType, readAdminBody } from "./admin-body.ts";
import { type Authentication, authenticate } from "./authenticate.ts";
import { type DoorCode, decisionMessage, doorAnswer } from "./door-refusal.ts";
import { createRateBook, type RateBook } from "./rate-book.ts";
import { type Decision, decide, type Visitor } from "./visitor.ts";

/** Request bodies of the admin API held at one time, all together. */
const BODIES_BYTES = 32 * 1024 * 1024;
const SESSION_PER_MINUTE = 120;
const FAILURES_PER_MINUTE = 20;
const MAX_SUBJECTS = 100_000;

export type AdminDoorNeeds = {
  readonly app: AdminApp;
  readonly table: RouteTable;
  readonly authentication: Authentication;
  /** Is there an owner? */
  readonly isSetUp: () => boolean;
  readonly tally: DoorTally;
  readonly now: () => EpochMs;
  /** A reverse proxy in front speaks TLS with the browser. */
  readonly isTlsInFront: boolean;
  readonly onError: (cause: Error) => void;
};

/** The way into the admin API over TCP. Null: the client left. */
export type AdminDoor = (call: Call) => Promise<Answer | null>;

type Room = AdminDoorNeeds & {
  readonly budget: ReturnType<typeof createBodyBudget>;
  readonly perSession: RateBook;
  readonly failures: RateBook;
};

/** Why a request is not served: its answer, once counted. */
type Stop = {
  readonly code: DoorCode;
  readonly headers?: Answer["headers"];
  readonly who?: string;
  readonly message?: string;
};

/**
 * What stands between a socket and the admin API: route, credential, page, rate, permission, body, in this order, each a
 * refusal of its own. Behind it the request runs as the one who asked, with the entry that it was let through by.
 */
export function createAdminDoor(needs: AdminDoorNeeds): AdminDoor {
  const room: Room = {
    ...needs,
    budget: createBodyBudget(BODIES_BYTES),
    perSession: createRateBook({ perMinute: SESSION_PER_MINUTE, maxSubjects: MAX_SUBJECTS }),
    failures: createRateBook({ perMinute: FAILURES_PER_MINUTE, maxSubjects: MAX_SUBJECTS }),
  };
  return async (call) => {
    try {
      return await pass(call, room);
    } catch (cause) {
      room.onError(cause instanceof Error ? cause : new Error(String(cause)));
      return doorAnswer(cause instanceof StoreUnavailable ? "store_unavailable" : "internal");
    }
  };
}

async function pass(call: Call, room: Room): Promise<Answer | null> {
  const match = room.table.match(call.method, call.path);
  if (match.kind === "unknown") return doorAnswer("route_not_found");
  if (call.method === "OPTIONS" && call.header("origin") !== null) return doorAnswer("preflight_refused");
  if (match.kind === "other_method") return doorAnswer("method_not_allowed", [["allow", match.allow]]);
  const { entry } = match;
  if (entry.plane !== "admin") return doorAnswer("route_not_found");
  if (!room.isSetUp() && entry.auth !== "setup") return doorAnswer("setup_required");
  if (!hasJsonType(call)) return doorAnswer("not_json");
  const visitor = await visitorOf(call, entry, room);
  if (!visitor.ok) return refused({ call, entry, stop: visitor.error }, room);
  const body = await readAdminBody(call, entry, room.budget);
  if (!body.ok) return body.error === "client_gone" ? null : doorAnswer(body.error.code, [], body.error.message);
  try {
    const answer = await run({ call, visitor: visitor.value, body: body.value }, room);
    if (entry.rateClass === "pre_auth" && answer.status === 401) room.failures.take(subjectOf(call), room.now());
    return answer;
  } finally {
    room.budget.release(body.value.length);
  }
}

/** Who asks, and whether they may. */
async function visitorOf(call: Call, entry: RouteEntry, room: Room): Promise<Result<Visitor, Stop>> {
  const nowMs = room.now();
  const waitMs = entry.rateClass === "pre_auth" ? room.failures.waitMs(subjectOf(call), nowMs) : 0;
  if (waitMs > 0) return err(tooMany(waitMs));
  const isSecure = call.isTls || room.isTlsInFront;
  const found = await authenticate(call, entry, { ...room.authentication, isSecure });
  if (!found.ok) {
    const failureWaitMs = found.error === "not_signed_in" ? room.failures.take(subjectOf(call), nowMs) : 0;
    return err(failureWaitMs > 0 ? tooMany(failureWaitMs) : { code: found.error });
  }
  const { principal, cookies } = found.value;
  const subject = rateSubject(principal);
  const sessionWaitMs = subject === null ? 0 : room.perSession.take(subject, nowMs);
  if (sessionWaitMs > 0) return err(tooMany(sessionWaitMs));
  const decision = decide(principal, entry, nowMs);
  if (decision !== "yes") return err(refusedTo(principal, decision));
  return ok({ principal, cookies, isSecure, entry, ip: ipOf(call) });
}

function refusedTo(principal: Principal | null, decision: Exclude<Decision, "yes">): Stop {
  const who = principal?.kind === "user" ? { who: principal.userId } : {};
  return { code: decision, message: decisionMessage(decision, principal), ...who };
}

function tooMany(waitMs: number): Stop {
  return { code: "rate_limited", headers: [["retry-after", String(Math.ceil(waitMs / 1_000))]] };
}

/** Whom the requests of one session or token are counted for; nobody on a route without a credential. */
function rateSubject(principal: Principal | null): string | null {
  if (principal === null || principal.kind === "socket") return null;
  const { via } = principal;
  return via.kind === "session" ? `session:${via.sessionId}` : `token:${via.tokenId}`;
}

/** Whom failures are counted for: an address, or the /64 that one IPv6 subscriber has. */
function subjectOf({ client }: Call): string {
  if (!client.ok || client.value === null) return "unknown";
  const { family, parts } = client.value;
  return family === 4 ? parts.join(".") : `${parts.slice(0, 4).join(":")}::/64`;
}

function ipOf({ client }: Call): string | null {
  return client.ok && client.value !== null ? addressText(client.value) : null;
}

type Stopped = { readonly call: Call; readonly entry: RouteEntry; readonly stop: Stop };

function refused({ call, entry, stop }: Stopped, room: Room): Answer {
  const request = { reason: stop.code, route: routeKey(entry), ip: ipOf(call), who: stop.who ?? null };
  room.tally.refused(request, room.now());
  return doorAnswer(stop.code, stop.headers, stop.message);
}

type LetIn = { readonly call: Call; readonly visitor: Visitor; readonly body: Uint8Array };

async function run({ call, visitor, body }: LetIn, room: Room): Promise<Answer> {
  const { entry } = visitor;
  // A host of our own making: nothing of the answer depends on what the client calls us.
  const request = new Request(`http://admin${call.path}${call.query}`, {
    method: entry?.method ?? call.method,
    ...(body.length === 0 ? {} : { body, headers: { "content-type": "application/json" } }),
  });
  const response = await actingAs(actorOf(visitor), () => room.app.fetch(request, visitor), sessionIdOf(visitor));
  return {
    status: response.status,
    headers: [...response.headers].filter(([name]) => name !== "content-length"),
    body: new Uint8Array(await response.arrayBuffer()),
  };
}

function sessionIdOf({ principal }: Visitor): string | null {
  return principal?.kind === "user" && principal.via.kind === "session" ? principal.via.sessionId : null;
}

/** For the audit log. Nobody in particular is told apart by the address alone. */
function actorOf({ principal, ip }: Visitor): AuditActor {
  if (principal === null) return { type: "user", id: "anonymous", ip };
  if (principal.kind === "socket") throw new Error("Cannot act as the operator over TCP");
  return { type: "user", id: principal.userId, ip };
}
