import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Debian's; null where there is none. */
export const CHROMIUM: string | null =
  ["/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) => existsSync(path)) ?? null;

/** One page of a real browser, by the DevTools protocol. */
export interface BrowserPage extends AsyncDisposable {
  /** One command; rejects when the browser refuses it. */
  send(method: string, params?: object): Promise<Record<string, unknown>>;
}

const START_MS = 20_000;

export async function openBrowser(executable: string): Promise<BrowserPage> {
  const profile = mkdtempSync(join(tmpdir(), "bccf-chromium-"));
  const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run"];
  const child = Bun.spawn([executable, ...flags, `--user-data-dir=${profile}`, "about:blank"], {
    stdout: "ignore",
    stderr: "pipe",
  });
  const port = await portOf(child.stderr);
  const made = await fetch(`http://127.0.0.1:${port}/json/new?about:blank`, { method: "PUT" });
  const { webSocketDebuggerUrl } = (await made.json()) as { webSocketDebuggerUrl: string };
  const socket = new WebSocket(webSocketDebuggerUrl);
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  const waiting = new Map<number, ReturnType<typeof reply>>();
  let lastId = 0;
  socket.addEventListener("message", ({ data }) => {
    const { id, result, error } = JSON.parse(String(data));
    const one = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) one?.resolve(result);
    else one?.reject(new Error(error.message));
  });
  return {
    send(method, params = {}) {
      lastId += 1;
      const one = reply();
      waiting.set(lastId, one);
      socket.send(JSON.stringify({ id: lastId, method, params }));
      return one.promise;
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      child.kill("SIGKILL");
      await child.exited;
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

function reply() {
  return Promise.withResolvers<Record<string, unknown>>();
}

async function portOf(stderr: ReadableStream<Uint8Array>): Promise<number> {
  const found = Promise.withResolvers<number>();
  const timer = setTimeout(() => found.reject(new Error("Cannot start the browser in time")), START_MS);
  void (async () => {
    let text = "";
    // Read to its end: a browser whose log nobody reads stands still.
    for await (const chunk of stderr) {
      text = (text + new TextDecoder().decode(chunk)).slice(-10_000);
      const port = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(text)?.[1];
      if (port !== undefined) found.resolve(Number(port));
    }
  })();
  return found.promise.finally(() => clearTimeout(timer));
}
