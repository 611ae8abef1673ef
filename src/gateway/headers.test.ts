import { describe, expect, test } from "bun:test";
import { headerOf, headersDown, headersUp } from "./headers.ts";
import type { HeaderField } from "./ports.ts";

const field = (name: string): HeaderField => [name, "v"];

describe("upstream gets", () => {
  test.each([
    "anthropic-version",
    "Anthropic-Beta",
    "anthropic-workspace-id",
    "anthropic-future-header",
    "X-Claude-Code-Session-Id",
    "user-agent",
    "accept",
    "Accept-Encoding",
    "content-type",
    "content-encoding",
    "x-app",
    "x-stainless-retry-count",
    "priority",
    "x-forwarded",
  ])("%s", (name) => {
    expect(headersUp([field(name)])).toEqual([field(name)]);
  });

  test("repeated fields in order, names and values as they came", () => {
    const headers: HeaderField[] = [
      ["Anthropic-Beta", "a"],
      ["X-App", "cli"],
      ["anthropic-beta", " b "],
    ];
    expect(headersUp(headers)).toEqual(headers);
  });
});

describe("upstream never gets", () => {
  test.each([
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "proxy-anything",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "host",
    "content-length",
    "authorization",
    "x-api-key",
    "cookie",
    "origin",
    "referer",
    "forwarded",
    "via",
    "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-anything",
    "x-better-ccflare-request-id",
    "x-bccf-anything",
  ])("%s, in whatever case", (name) => {
    const kept: HeaderField = ["accept", "*/*"];
    expect(headersUp([field(name), kept, field(name.toUpperCase())])).toEqual([kept]);
  });
});

describe("the client never gets", () => {
  test.each([
    "connection",
    "transfer-encoding",
    "content-length",
    "set-cookie",
    "set-cookie2",
    "alt-svc",
    "strict-transport-security",
    "content-security-policy",
    "content-security-policy-report-only",
    "clear-site-data",
    "refresh",
    "link",
    "server",
    "x-powered-by",
    "access-control-allow-origin",
    "x-better-ccflare-attempts",
  ])("%s", (name) => {
    expect(headersDown([field(name), field(name.toUpperCase())])).toEqual([]);
  });

  test.each(["retry-after", "request-id", "anthropic-ratelimit-unified-status", "x-should-retry", "content-encoding"])(
    "but does get %s",
    (name) => {
      expect(headersDown([field(name)])).toEqual([field(name)]);
    },
  );
});

describe("Connection", () => {
  test("takes the fields that it names with it", () => {
    const headers: HeaderField[] = [["X-Hop", "1"], ["connection", "close, x-hop , keep-alive"], field("x-other")];
    expect(headersUp(headers)).toEqual([field("x-other")]);
  });

  test("may stand twice", () => {
    const headers: HeaderField[] = [["Connection", "x-one"], field("x-one"), ["connection", "x-two"], field("x-two")];
    expect(headersUp(headers)).toEqual([]);
  });

  test.each([
    "anthropic-version, anthropic-beta, content-type, content-encoding",
    "Anthropic-Version,ANTHROPIC-BETA,Content-Type,Content-Encoding",
  ])("cannot strip what the API needs: %s", (value) => {
    const kept = ["anthropic-version", "Anthropic-Beta", "content-type", "content-encoding"].map(field);
    expect(headersUp([...kept, ["connection", value]])).toEqual(kept);
  });

  test.each(["", "close", "keep-alive", " , ,"])("that says %p names nothing", (value) => {
    expect(headersUp([["connection", value], field("close"), field("accept")])).toEqual([
      field("close"),
      field("accept"),
    ]);
  });

  test("of an upstream cannot strip its limits", () => {
    const limits = field("anthropic-ratelimit-requests-remaining");
    expect(headersDown([limits, ["Connection", "anthropic-ratelimit-requests-remaining"]])).toEqual([limits]);
  });
});

test.each([
  { name: "content-type", expected: "first" },
  { name: "x-none", expected: null },
])("finds the first $name in whatever case", ({ name, expected }) => {
  const headers: HeaderField[] = [
    ["Content-Typo", "no"],
    ["CONTENT-TYPE", "first"],
    ["content-type", "second"],
  ];
  expect(headerOf(headers, name)).toBe(expected);
});
