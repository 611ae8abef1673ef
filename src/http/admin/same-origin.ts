/** What a browser says of the page that made a request; null where it says nothing. */
export type PageFacts = {
  readonly method: string;
  /** Sec-Fetch-Site, Sec-Fetch-Mode, Sec-Fetch-Dest: no script can set them. */
  readonly site: string | null;
  readonly mode: string | null;
  readonly dest: string | null;
  readonly origin: string | null;
  /** As the browser sees this gateway, e.g. "http://127.0.0.1:8080". */
  readonly ownOrigin: string;
};

/** unsaid: no browser of the last years asks like that, a program does. */
export type PageVerdict = "own" | "foreign" | "unsaid";

/**
 * Whose page asks. Sec-Fetch-Site decides; where there is none, Origin must be exactly ours; a contradiction is foreign.
 * Somebody who types the address, or follows a link to it, changes nothing with a GET.
 */
export function pageVerdict({ method, site, mode, dest, origin, ownOrigin }: PageFacts): PageVerdict {
  if (origin !== null && origin !== ownOrigin) return "foreign";
  if (site === "same-origin") return "own";
  if (site !== null) {
    const isNavigation = (method === "GET" || method === "HEAD") && mode === "navigate" && dest === "document";
    return isNavigation ? "own" : "foreign";
  }
  return origin === null ? "unsaid" : "own";
}
