import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AdminListener, listenAdmin } from "./admin-listener.ts";

let directory = "";
const listeners: AdminListener[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "admin-"));
});

afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.stop()));
  rmSync(directory, { recursive: true, force: true });
});

async function listen(socketPath: string, answer: () => Response | Promise<Response> = () => new Response("here")) {
  const listener = await listenAdmin({ socketPath, app: { fetch: async () => answer() } });
  listeners.push(listener);
  return listener;
}

const get = async (socketPath: string) => (await fetch("http://localhost/", { unix: socketPath })).text();

test("serves on a socket that only its owner can open, and leaves the umask as it was", async () => {
  const socketPath = join(directory, "admin.sock");
  const umask = process.umask();
  await listen(socketPath);
  expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  expect(process.umask()).toBe(umask);
  expect(await get(socketPath)).toBe("here");
});

test("removes its socket when it stops", async () => {
  const socketPath = join(directory, "admin.sock");
  const listener = await listen(socketPath);
  await listener.stop();
  expect(existsSync(socketPath)).toBeFalse();
});

test("lets a running answer end before it stops", async () => {
  const socketPath = join(directory, "admin.sock");
  const arrived = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const listener = await listen(socketPath, async () => {
    arrived.resolve();
    await release.promise;
    return new Response("finished");
  });
  const answer = get(socketPath);
  await arrived.promise;
  const stopped = listener.stop();
  release.resolve();
  expect(await answer).toBe("finished");
  await stopped;
});

test("refuses to take the socket of a running gateway, which stays reachable", async () => {
  const socketPath = join(directory, "admin.sock");
  await listen(socketPath);
  await expect(listen(socketPath)).rejects.toThrow("another gateway is running with this data directory");
  expect(await get(socketPath)).toBe("here");
});

test("replaces the socket of a gateway that was killed", async () => {
  const socketPath = join(directory, "admin.sock");
  const script = `Bun.serve({ unix: ${JSON.stringify(socketPath)}, fetch: () => new Response("old") }); console.log("up");`;
  const killed = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "ignore" });
  await killed.stdout.getReader().read();
  killed.kill("SIGKILL");
  await killed.exited;
  expect(existsSync(socketPath)).toBeTrue();
  await listen(socketPath);
  expect(await get(socketPath)).toBe("here");
});

test("does not delete a file that is not a socket", async () => {
  const socketPath = join(directory, "admin.sock");
  writeFileSync(socketPath, "precious");
  await expect(listen(socketPath)).rejects.toThrow("a file that is not a socket is there");
  expect(existsSync(socketPath)).toBeTrue();
});

test("takes a path of 107 bytes and explains a longer one", async () => {
  const longest = join(directory, "s".repeat(107 - Buffer.byteLength(directory) - 1));
  await listen(longest);
  expect(await get(longest)).toBe("here");
  await expect(listen(`${longest}s`)).rejects.toThrow("at most 107 bytes and this one has 108");
});
