import { CliFailure, EXIT } from "./cli-io.ts";

export type Redirected = { readonly code: string; readonly state: string };

export type RedirectListener = {
  readonly redirectUri: string;
  /** @throws CliFailure when the provider refuses, or nobody comes within 10 minutes. */
  redirected(): Promise<Redirected>;
  stop(): void;
};

const WAIT_MS = 600_000;
const PATH = "/callback";

/**
 * Where the browser comes back to: 127.0.0.1 alone, on a free port, until the first answer. The gateway checks the
 * state, so that what another local program sends here adds nothing. @see RFC 8252 section 7.3
 */
export function listenForRedirect(waitMs: number = WAIT_MS): RedirectListener {
  const { promise, resolve, reject } = Promise.withResolvers<Redirected>();
  // It may end before anybody waits for it.
  promise.catch(() => undefined);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const url = new URL(request.url);
      if (request.method !== "GET" || url.pathname !== PATH) return page(404, "Not found");
      const code = url.searchParams.get("code");
      const state = url.searchParams.get("state");
      if (url.searchParams.has("error")) {
        reject(new CliFailure(EXIT.refused, "Cannot log in: the provider refused, or its owner did"));
        return page(200, "The login was refused. You can close this page.");
      }
      if (code === null || state === null) return page(400, "This address is for the end of a login.");
      resolve({ code, state });
      return page(200, "Received. You can close this page; the terminal says how it ended.");
    },
  });
  const timer = setTimeout(() => {
    reject(new CliFailure(EXIT.refused, "Cannot log in: nobody came back within 10 minutes"));
  }, waitMs);
  return {
    redirectUri: `http://127.0.0.1:${server.port}${PATH}`,
    redirected: () => promise,
    stop() {
      clearTimeout(timer);
      void server.stop();
    },
  };
}

function page(status: number, text: string): Response {
  const headers = {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
  };
  return new Response(`${text}\n`, { status, headers });
}
