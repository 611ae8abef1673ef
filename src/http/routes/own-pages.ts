import type { Answer, Call } from "../../gateway/call.ts";
import { refusalAnswer } from "../../gateway/refusal.ts";
import type { RouteEntry } from "./route-entry.ts";

/** An answer of the process itself, not of the data plane: health, readiness, metrics. */
export type OwnPage = (call: Call) => Promise<Answer> | Answer;

const READS = "GET, HEAD";

/** The page of exactly this path, for GET and HEAD; null when there is none. */
export function ownPageAnswer(pages: ReadonlyMap<string, OwnPage>, call: Call): Promise<Answer> | Answer | null {
  const page = pages.get(call.path);
  if (page === undefined) return null;
  if (call.method === "GET" || call.method === "HEAD") return page(call);
  const message = `Cannot ${call.method} ${call.path}: send GET`;
  return refusalAnswer({ code: "GW_METHOD", message, allow: READS }, call.id);
}

/** The routes that these pages answer, as they are declared. */
export function routesOfPages(pages: ReadonlyMap<string, OwnPage>): ReadonlySet<string> {
  return new Set([...pages.keys()].map((path) => `GET ${path}`));
}

export function ownEntries(entries: readonly RouteEntry[]): readonly RouteEntry[] {
  return entries.filter(({ plane }) => plane === "own");
}
