import { type RouteEntry, type RouteMethod, routeKey } from "./route-entry.ts";

/** What a request's method and path come to. `allow`: the methods of a known path, for an Allow header. */
export type RouteMatch =
  | { readonly kind: "found"; readonly entry: RouteEntry }
  | { readonly kind: "other_method"; readonly allow: string }
  | { readonly kind: "unknown" };

export interface RouteTable {
  /** Exact and case-sensitive: nothing is decoded, folded or trimmed to make a path fit. HEAD is asked for as GET. */
  match(method: string, path: string): RouteMatch;
  /** By `routeKey`. */
  get(key: string): RouteEntry | null;
  readonly entries: readonly RouteEntry[];
}

const UNKNOWN: RouteMatch = { kind: "unknown" };
const PARAMETER = /^\{[A-Za-z]+\}$/;

/** One name or id as clients write it: no empty or dot segment, nothing encoded that could mean another path, no NUL. */
const SEGMENT = /^(?!\.{1,2}$)(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%(?!2[eEfF]|5[cC]|0|1|7[fF])[0-9A-Fa-f]{2})+$/;

type Path = { readonly segments: readonly string[]; readonly byMethod: Map<string, RouteEntry> };

export function createRouteTable(entries: readonly RouteEntry[]): RouteTable {
  const byKey = new Map(entries.map((entry) => [routeKey(entry), entry]));
  const plain = new Map<string, Path>();
  const patterns: Path[] = [];
  for (const entry of entries) {
    const known = plain.get(entry.path) ?? { segments: entry.path.split("/"), byMethod: new Map<string, RouteEntry>() };
    if (known.byMethod.size === 0) {
      plain.set(entry.path, known);
      if (entry.path.includes("{")) patterns.push(known);
    }
    known.byMethod.set(entry.method, entry);
  }
  const pathOf = (path: string): Path | null => {
    // A path with a brace in it is not a path but the name of one.
    const exact = path.includes("{") ? undefined : plain.get(path);
    if (exact !== undefined) return exact;
    const segments = path.split("/");
    return patterns.find((pattern) => fits(pattern.segments, segments)) ?? null;
  };
  return {
    entries,
    get: (key) => byKey.get(key) ?? null,
    match(method, path) {
      const found = pathOf(path);
      if (found === null) return UNKNOWN;
      const entry = found.byMethod.get(method === "HEAD" ? "GET" : method) ?? found.byMethod.get("*");
      return entry === undefined ? { kind: "other_method", allow: allowOf(found.byMethod) } : { kind: "found", entry };
    },
  };
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.length !== segments.length) return false;
  return pattern.every((part, index) => {
    const segment = segments[index] ?? "";
    return PARAMETER.test(part) ? SEGMENT.test(segment) : part === segment;
  });
}

function allowOf(byMethod: ReadonlyMap<string, RouteEntry>): string {
  const methods = [...byMethod.keys()] as RouteMethod[];
  return methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
}
