import type { RouteEntry } from "./route-entry.ts";

type Handler = { readonly method: string; readonly path: string };

/** What Hono answers, as the table spells it: "GET /api/accounts/{account}". Middleware, which runs for all methods, is no route. */
export function routesOfHandlers(handlers: readonly Handler[]): ReadonlySet<string> {
  const routes = handlers.filter(({ method }) => method !== "ALL");
  return new Set(routes.map(routeOfHandler));
}

export function routeOfHandler({ method, path }: Handler): string {
  return `${method} ${path.replace(/:([A-Za-z]+)/g, "{$1}")}`;
}

/** What the admin API answers: its own routes, and health on the Unix socket. */
export function handledEntries(entries: readonly RouteEntry[]): readonly RouteEntry[] {
  return entries.filter(({ plane, path }) => plane === "admin" || path === "/healthz");
}
