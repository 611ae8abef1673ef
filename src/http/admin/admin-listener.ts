import { lstatSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { actingAs, OPERATOR } from "../../control/acting.ts";
import type { AdminApp } from "./admin-app.ts";
import { MAX_ADMIN_BODY_BYTES } from "./admin-app.ts";
import { SOCKET_VISITOR } from "./visitor.ts";

/** sockaddr_un.sun_path holds 108 bytes and ends with a zero (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107;

const PROBE_TIMEOUT_MS = 1_000;
const DRAIN_TIMEOUT_MS = 2_000;

/** Longer than the slowest answer (`account test`, 10 s). */
const IDLE_TIMEOUT_SECONDS = 30;

export type AdminListener = {
  /** Lets running answers end, for at most 2 s, then closes and removes the socket. */
  stop(): Promise<void>;
};

/**
 * Serves the admin API on a Unix socket that only its owner can open: the file's mode is the authentication.
 * @throws Error when the path is too long, another server answers there, or something else than a socket is there.
 */
export async function listenAdmin({ socketPath, app }: { socketPath: string; app: AdminApp }): Promise<AdminListener> {
  const pathBytes = Buffer.byteLength(socketPath);
  if (pathBytes > MAX_SOCKET_PATH_BYTES) {
    throw new Error(
      `Cannot listen on ${socketPath}: a Unix socket path has at most ${MAX_SOCKET_PATH_BYTES} bytes and this one has ` +
        `${pathBytes}. Choose a data directory with a shorter path`,
    );
  }
  await removeStaleSocket(socketPath);
  const server = serveOwnerOnly(socketPath, app);
  return {
    async stop() {
      const drained = server.stop().then(() => true);
      const timeout = Promise.withResolvers<boolean>();
      const timer = setTimeout(() => timeout.resolve(false), DRAIN_TIMEOUT_MS);
      const isDrained = await Promise.race([drained, timeout.promise]);
      clearTimeout(timer);
      if (!isDrained) await server.stop(true);
    },
  };
}

function serveOwnerOnly(socketPath: string, app: AdminApp) {
  // The mode must be right from the first instant: a chmod after listening leaves a gap. Nothing runs in between.
  const umask = process.umask(0o177);
  const options = {
    unix: socketPath,
    fetch: (request: Request) => actingAs(OPERATOR, () => app.fetch(request, SOCKET_VISITOR)),
    idleTimeout: IDLE_TIMEOUT_SECONDS,
    maxRequestBodySize: MAX_ADMIN_BODY_BYTES,
    development: false as const,
  };
  try {
    // @ts-expect-error The typings forbid `idleTimeout` beside `unix`, yet without it Bun 1.4.5 cuts a slow answer at
    // 12 s (measured; `server.timeout()` changes nothing on a Unix socket).
    const server: Bun.Server<undefined> = Bun.serve(options);
    return server;
  } finally {
    process.umask(umask);
  }
}

async function removeStaleSocket(socketPath: string): Promise<void> {
  const found = lstatSync(socketPath, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`Cannot listen on ${socketPath}: a file that is not a socket is there`);
  if (await doesAnyoneListen(socketPath)) {
    throw new Error(`Cannot listen on ${socketPath}: another gateway is running with this data directory`);
  }
  unlinkSync(socketPath);
}

/** A kill -9 leaves the file but nobody who accepts. Anything but a plain refusal counts as alive: never unlink in doubt. */
function doesAnyoneListen(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const settle = (isAlive: boolean) => {
      socket.destroy();
      resolve(isAlive);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => settle(true));
    socket.once("connect", () => settle(true));
    socket.once("error", (error: NodeJS.ErrnoException) =>
      settle(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"),
    );
  });
}
