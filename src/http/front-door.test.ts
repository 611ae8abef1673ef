import { describe, expect, test } from "bun:test";
import { createScriptedCall } from "../../test/playbook/scripted-call.ts";
import { requestId } from "../domain/ledger/record.ts";
import type { Answer } from "../gateway/call.ts";
import type { HeaderField } from "../gateway/ports.ts";
import { epochMs } from "../kernel/time.ts";
import { createFrontDoor, type FrontDoorOptions } from "./front-door.ts";
import { connect, start, text } from "./http1/raw-client.test.ts";

const PAGE = "https://app.example";
const HOST: HeaderField = ["Host", "localhost:8080"];

function callOf(headers: readonly HeaderField[], method = "POST") {
  return createScriptedCall({ id: requestId("r"), key: "k", nowMs: epochMs(0), script: { method, headers } });
}

function doorOf(changes: Partial<FrontDoorOptions> = {}) {
  const options = { host: "127.0.0.1", port: 8080, allowedHosts: [], allowedOrigins: [], hasAdmin: true };
  return createFrontDoor({ ...options, ...changes });
}

function bodyOf(answer: Answer | null): string {
  return answer?.body instanceof Uint8Array ? new TextDecoder().decode(answer.body) : "";
}

function headerOf(answer: Answer | null, name: string): string | null {
  return answer?.headers.find(([known]) => known === name)?.[1] ?? null;
}

const PATHS = ["/", "/healthz", "/readyz", "/metrics", "/v1/messages", "/v1/models", "/v1/files", "/static/app.js"];

describe("Host", () => {
  test.each(["localhost", "localhost:8081", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LocalHost:8080"])(
    "%s may call",
    (host) => {
      expect(doorOf().answerFor(callOf([["Host", host]]))).toBeNull();
    },
  );

  test.each([
    "evil.test:8080",
    "localhost.:8080",
    "localhost.evil:8080",
    "127.0.0.1.nip.io:8080",
    "127.0.0.2:8080",
    "0.0.0.0:8080",
    "[::]:8080",
    "[0:0:0:0:0:0:0:1]:8080",
    "127.1:8080",
    "2130706433:8080",
  ])("T-5.15 %s gets 421 in the API's shape", (host) => {
    const answer = doorOf().answerFor(callOf([["Host", host]]));
    expect(answer?.status).toBe(421);
    expect(JSON.parse(bodyOf(answer))).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
    expect(bodyOf(answer)).toContain("GW_HOST");
  });

  test("that is missing, as HTTP/1.0 allows, gets 400", () => {
    expect(doorOf().answerFor(callOf([]))?.status).toBe(400);
  });

  test.each([
    { allowedHosts: ["gw.example"], host: "gw.example", isAllowed: true },
    { allowedHosts: ["GW.example:8443"], host: "gw.example:8443", isAllowed: true },
    { allowedHosts: ["gw.example"], host: "gw.example:8080", isAllowed: false },
    { allowedHosts: ["gw.example"], host: "a.gw.example", isAllowed: false },
    { allowedHosts: ["gw.example"], host: "localhost:8080", isAllowed: true },
  ])("$host with server.allowedHosts $allowedHosts: $isAllowed", ({ allowedHosts, host, isAllowed }) => {
    expect(doorOf({ allowedHosts }).answerFor(callOf([["Host", host]])) === null).toBe(isAllowed);
  });

  test.each([
    { host: "10.0.0.5", port: 8080, sent: "10.0.0.5:8080" },
    { host: "fd00::5", port: 8080, sent: "[fd00::5]:8080" },
    { host: "127.0.0.1", port: 80, sent: "localhost" },
  ])("the host that is listened on may be called as $sent", ({ host, port, sent }) => {
    expect(doorOf({ host, port }).answerFor(callOf([["Host", sent]]))).toBeNull();
  });

  test.each(PATHS)("T-5.15 a page that rebinds its name reaches nothing at %s", async (path) => {
    using gateway = start(async () => text("inside"), { pages: new Map([["/", () => text("page")]]) });
    const client = await connect(gateway.port);
    client.send(`GET ${path} HTTP/1.1\r\nHost: evil.test:${gateway.port}\r\n\r\n`);
    expect((await client.until((got) => got.includes("GW_HOST"))).toString()).toStartWith("HTTP/1.1 421 ");
    expect(gateway.calls).toHaveLength(0);
  });
});

describe("a web page", () => {
  const near = [
    "null",
    "*",
    "https://evil.example",
    "https://app.example.evil",
    "https://evil-app.example",
    "https://sub.app.example",
    "https://app.example:443",
    "https://app.example:8443",
    "http://app.example",
    "HTTPS://app.example",
    "https://APP.example",
    "https://app.example.",
    "https://app.example/",
    "https://app.example/path",
    "https://app.example https://evil.example",
    "https://app.example, https://evil.example",
    "https://\u0430pp.example",
    "https://xn--pp-7kc.example",
    "https://user@app.example",
    "//app.example",
    "app.example",
    "chrome-extension://abcdefghijklmnop",
    "file://",
    "data:",
    "http://localhost:8080",
    "http://127.0.0.1:8080",
    "http://localhost.evil",
    "",
  ];

  test.each(near)("T-5.11 of the origin %j is refused and gets no Access-Control header", (origin) => {
    const door = doorOf({ allowedOrigins: [PAGE] });
    for (const method of ["GET", "POST", "OPTIONS"]) {
      const call = callOf([HOST, ["Origin", origin]], method);
      const answer = door.answerFor(call);
      expect(answer?.status).toBe(403);
      expect(bodyOf(answer)).toContain("permission_error");
      expect(JSON.stringify(answer === null ? null : door.opened(call, answer).headers)).not.toContain(
        "access-control",
      );
    }
  });

  test.each(["cross-site", "same-site", "unheard-of"])(
    "T-5.14 that sends no Origin is known by Sec-Fetch-Site %s",
    (site) => {
      expect(doorOf().answerFor(callOf([HOST, ["Sec-Fetch-Site", site]], "GET"))?.status).toBe(403);
    },
  );

  test.each(["none", "same-origin"])("is not what Sec-Fetch-Site %s says: the address bar", (site) => {
    expect(doorOf().answerFor(callOf([HOST, ["Sec-Fetch-Site", site]], "GET"))).toBeNull();
  });

  test("T-5.12 that is named may read its answers, without credentials of the browser", () => {
    const door = doorOf({ allowedOrigins: [PAGE, "https://b.example"] });
    const call = callOf([HOST, ["Origin", PAGE], ["Sec-Fetch-Site", "cross-site"]]);
    expect(door.answerFor(call)).toBeNull();
    const opened = door.opened(call, text("answer"));
    expect(headerOf(opened, "access-control-allow-origin")).toBe(PAGE);
    expect(headerOf(opened, "vary")).toBe("Origin");
    expect(headerOf(opened, "access-control-allow-credentials")).toBeNull();
  });

  test("T-5.13 that is named learns by a pre-flight what it may send: a fixed list, never *", () => {
    const door = doorOf({ allowedOrigins: [PAGE] });
    const call = callOf([HOST, ["Origin", PAGE], ["Access-Control-Request-Headers", "*"]], "OPTIONS");
    const answer = door.answerFor(call);
    expect(answer?.status).toBe(204);
    expect(headerOf(answer, "access-control-max-age")).toBe("600");
    expect(JSON.stringify(answer?.headers)).not.toContain("*");
    expect(headerOf(answer === null ? null : door.opened(call, answer), "access-control-allow-origin")).toBe(PAGE);
  });

  test("T-5.14 that posts text/plain without a key reaches nothing", async () => {
    using gateway = start(async () => text("inside"));
    const client = await connect(gateway.port);
    client.send(
      "POST /v1/messages HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
    );
    const got = (await client.until((got) => got.includes("GW_ORIGIN"))).toString();
    expect(got).toStartWith("HTTP/1.1 403 ");
    expect(got.toLowerCase()).not.toContain("access-control");
    expect(gateway.calls).toHaveLength(0);
  });

  test("T-5.12 that is named calls over the wire, and a refusal can be read too", async () => {
    using gateway = start(async () => text("inside"), {
      allowedOrigins: [PAGE],
      pages: new Map([["/", () => text("own")]]),
    });
    for (const [path, word] of [
      ["/v1/models", "inside"],
      ["/", "own"],
    ] as const) {
      const client = await connect(gateway.port);
      client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nOrigin: ${PAGE}\r\n\r\n`);
      const got = (await client.until((got) => got.includes(word))).toString();
      expect(got).toContain(`access-control-allow-origin: ${PAGE}\r\n`);
      expect(got).toContain("vary: Origin\r\n");
    }
  });
});
