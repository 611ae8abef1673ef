import { afterAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { createCertificateAuthority } from "../../sim/certificate-authority.ts";
import { printFigures } from "../e2e/figures.ts";
import { startGateway } from "../e2e/gateway-process.ts";

const authority = createCertificateAuthority();
afterAll(() => authority[Symbol.dispose]());

const COUNT = 5_000;
/** The deadline of a handshake, one tick, and what a busy machine needs. */
const MAX_LIFE_MS = 11_500;
const MAX_GROWTH_MIB = 128;
/** The first bytes of a hello that promises 500. */
const HALF = Buffer.from("16030101f4010001f00303", "hex");

test("T-16.05 T-25.03 5,000 half handshakes are closed within ten seconds, and an honest client is served meanwhile", async () => {
  const pair = authority.issue("localhost", { names: "DNS:localhost,IP:127.0.0.1" });
  const gateway = await startGateway({ env: { SSL_CERT_PATH: pair.certFile, SSL_KEY_PATH: pair.keyFile } });
  const port = Number(new URL(gateway.url).port);
  const rssMib = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.pid}/status`, "latin1"))?.[1]) / 1024;
  const health = () => fetch(`${gateway.url}/healthz`, { tls: { ca: authority.root }, keepalive: false });
  for (let warm = 0; warm < 50; warm += 1) await (await health()).text();
  const before = rssMib();
  const lives: number[] = [];
  const open = new Set<Socket>();
  for (let index = 0; index < COUNT; index += 1) {
    const socket = connect(port, "127.0.0.1");
    const startedMs = performance.now();
    open.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      open.delete(socket);
      lives.push(performance.now() - startedMs);
    });
    socket.write(HALF);
    if (index % 100 === 99) await Bun.sleep(10);
  }
  const slowest: number[] = [];
  let peak = before;
  while (open.size > 0) {
    const startedMs = performance.now();
    expect(await (await health()).text()).toBe("ok\n");
    slowest.push(performance.now() - startedMs);
    peak = Math.max(peak, rssMib());
    await Bun.sleep(100);
  }
  const figures = {
    closed: lives.length,
    longestMs: Math.round(Math.max(...lives)),
    healthySlowestMs: Math.round(Math.max(...slowest)),
    growthMib: Math.round(peak - before),
  };
  printFigures("half-handshakes", figures);
  expect(figures.closed).toBe(COUNT);
  expect(figures.longestMs).toBeLessThan(MAX_LIFE_MS);
  expect(figures.growthMib).toBeLessThan(MAX_GROWTH_MIB);
  await gateway.stop();
}, 60_000);
