import type { OpenAPIHono } from "@hono/zod-openapi";
import { ZodObject } from "zod";

type Definition = OpenAPIHono["openAPIRegistry"]["definitions"][number];

/** The query of each route, as its schema names it: "GET /api/requests" -> limit. A route that is not here has none. */
export function queryNamesOf(definitions: readonly Definition[]): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, ReadonlySet<string>>();
  for (const definition of definitions) {
    if (definition.type !== "route") continue;
    const { method, path, request } = definition.route;
    const query = request?.query;
    if (query instanceof ZodObject) names.set(`${method.toUpperCase()} ${path}`, new Set(Object.keys(query.shape)));
  }
  return names;
}

/** The first name that the route does not have, or has twice; null when all is well. A name that is ignored misleads. */
export function strangeQueryName(query: URLSearchParams, known: ReadonlySet<string> | undefined): string | null {
  const seen = new Set<string>();
  for (const name of query.keys()) {
    if (known?.has(name) !== true || seen.has(name)) return name;
    seen.add(name);
  }
  return null;
}
