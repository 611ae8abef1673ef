import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { EpochMs } from "../../kernel/time.ts";
import { routeOfHandler } from "../routes/handlers.ts";
import { type RouteEntry, routeKey } from "../routes/route-entry.ts";
import type { RouteTable } from "../routes/route-table.ts";
import { decisionMessage, decisionStatus } from "./door-refusal.ts";
import { strangeQueryName } from "./query-names.ts";
import { errorAnswer } from "./refusal-answer.ts";
import { type AdminEnv, decide } from "./visitor.ts";

export type GuardNeeds = {
  readonly table: RouteTable;
  /** By route key: the names that a query may have. */
  readonly queryNames: ReadonlyMap<string, ReadonlySet<string>>;
  readonly now: () => EpochMs;
};

/**
 * Authorises by the entry of the very route that is about to run: what Hono has matched, not what a path looks like. The
 * door decided by the same entry, or the request is not served: two readings of one path are an attack or a bug.
 */
export function createGuard({ table, queryNames, now }: GuardNeeds): MiddlewareHandler<AdminEnv> {
  return async (context, next) => {
    const { visitor } = context.env;
    const entry = dispatchedEntry(context, table);
    if (entry === null) return next();
    if (visitor.entry !== null && visitor.entry !== entry) {
      throw new Error(`Cannot serve ${entry.method} ${entry.path}: the door let ${visitor.entry.path} through`);
    }
    const decision = decide(visitor.principal, entry, now());
    if (decision !== "yes") {
      return context.json(
        errorAnswer(decision, decisionMessage(decision, visitor.principal)),
        decisionStatus(decision),
      );
    }
    const query = new URL(context.req.url).searchParams;
    const strange = strangeQueryName(query, queryNames.get(routeKey(entry)));
    if (strange === null) return next();
    const fact = "its query has a name that the route does not have, or has it twice";
    return context.json(errorAnswer("request_invalid", `Cannot read the request: ${fact}`, strange.slice(0, 64)), 400);
  };
}

/** Null: Hono found no route, and will say so. */
function dispatchedEntry(context: Context<AdminEnv>, table: RouteTable): RouteEntry | null {
  const handler = matchedRoutes(context).find(({ method }) => method !== "ALL");
  if (handler === undefined) return null;
  const entry = table.get(routeOfHandler(handler));
  if (entry === null) throw new Error(`Cannot serve ${handler.method} ${handler.path}: it has no entry`);
  return entry;
}
