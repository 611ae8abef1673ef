import { admit } from "./gateway/admit.ts";
import type { Answer } from "./gateway/call.ts";
import { OWN_HEADERS } from "./gateway/own-headers.ts";
import type { ClientKeys } from "./gateway/ports.ts";
import { refusalAnswer } from "./gateway/refusal.ts";
import { checkHandlers } from "./http/routes/check-routes.ts";
import { type OwnPage, ownEntries, routesOfPages } from "./http/routes/own-pages.ts";
import { ROUTES } from "./http/routes/route-rows.ts";
import type { Metrics } from "./observe/metrics.ts";

const ENCODER = new TextEncoder();

function page(status: number, text: string, contentType = "text/plain; charset=utf-8"): Answer {
  return {
    status,
    headers: [["content-type", contentType], ["cache-control", "no-store"], ...OWN_HEADERS],
    body: ENCODER.encode(text),
  };
}

type PageNeeds = { readonly keys: ClientKeys; readonly metrics: Metrics; readonly isDraining: () => boolean };

/**
 * The process's own pages. Health says nothing but its status; metrics need a client key (docs/adr/0009).
 * @throws Error when they are not the pages that the table of routes declares.
 */
export function ownPages({ keys, metrics, isDraining }: PageNeeds): ReadonlyMap<string, OwnPage> {
  const pages = new Map<string, OwnPage>([
    ["/", () => page(200, "better-ccflare\n")],
    ["/healthz", () => page(200, "ok\n")],
    ["/readyz", () => (isDraining() ? page(503, "stopping\n") : page(200, "ready\n"))],
    [
      "/metrics",
      async (call) => {
        const caller = admit(call, keys);
        return caller.ok
          ? page(200, await metrics.render(), metrics.contentType)
          : refusalAnswer(caller.error, call.id);
      },
    ],
  ]);
  checkHandlers(routesOfPages(pages), ownEntries(ROUTES));
  return pages;
}
