import { type AdmitNeeds, admit } from "./gateway/admit.ts";
import type { Answer } from "./gateway/call.ts";
import { barredAtDoor } from "./gateway/key-door.ts";
import { OWN_HEADERS } from "./gateway/own-headers.ts";
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

const METRICS = { kind: "other", scope: "metrics" } as const;

type PageNeeds = { readonly admission: AdmitNeeds; readonly metrics: Metrics; readonly isDraining: () => boolean };

/**
 * The process's own pages. Health says nothing but its status; metrics need a client key (docs/adr/0009).
 * @throws Error when they are not the pages that the table of routes declares.
 */
export function ownPages({ admission, metrics, isDraining }: PageNeeds): ReadonlyMap<string, OwnPage> {
  const pages = new Map<string, OwnPage>([
    ["/", () => page(200, "better-ccflare\n")],
    ["/healthz", () => page(200, "ok\n")],
    ["/readyz", () => (isDraining() ? page(503, "stopping\n") : page(200, "ready\n"))],
    [
      "/metrics",
      async (call) => {
        const admitted = admit(call, admission);
        if (!admitted.ok) return refusalAnswer(admitted.error, call.id);
        const barred = barredAtDoor(call, METRICS, admitted.value.access.grant);
        return barred === null
          ? page(200, await metrics.render(), metrics.contentType)
          : refusalAnswer(barred, call.id);
      },
    ],
  ]);
  checkHandlers(routesOfPages(pages), ownEntries(ROUTES));
  return pages;
}
