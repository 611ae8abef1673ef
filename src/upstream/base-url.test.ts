import { expect, test } from "bun:test";
import fc from "fast-check";
import { ok } from "../kernel/result.ts";
import { type BaseUrl, describeBaseUrlProblem, originOf, parseBaseUrl } from "./base-url.ts";

const strict = { allowPrivate: false };
const lax = { allowPrivate: true };

// security.md T-15.01.
test.each([
  "http://api.anthropic.com",
  "http://127.0.0.1",
  "https://127.0.0.1",
  "https://127.1",
  "https://0",
  "https://0.0.0.0",
  "https://2130706433",
  "https://0x7f.1",
  "https://0x7f000001",
  "https://0177.0.0.1",
  "https://017700000001",
  "https://localhost",
  "https://localhost.",
  "https://LOCALHOST",
  "https://a.localhost",
  "https://[::1]",
  "https://[::]",
  "https://[0:0:0:0:0:0:0:1]",
  "https://[::ffff:127.0.0.1]",
  "https://[::ffff:7f00:1]",
  "https://[64:ff9b::7f00:1]",
  "https://[2002:7f00:1::]",
  "https://[fe80::1]",
  "https://[fe80::1%25eth0]",
  "https://[fc00::1]",
  "https://[fec0::1]",
  "https://169.254.169.254",
  "https://[fd00:ec2::254]",
  "https://metadata.google.internal",
  "https://metadata",
  "https://100.100.100.200",
  "https://10.0.0.1",
  "https://172.16.0.1",
  "https://172.31.255.255",
  "https://192.168.0.1",
  "https://192.168.257",
  "https://100.64.0.1",
  "https://192.0.0.192",
  "https://198.18.0.1",
  "https://224.0.0.1",
  "https://255.255.255.255",
  "https://127。0。0。1",
  "https://１２７.0.0.1",
  "https://①②⑦.0.0.1",
  "https://ⓛocalhost",
  "https://%31%32%37.0.0.1",
  "https://a@api.anthropic.com",
  "https://a:b@api.anthropic.com",
  "https://@api.anthropic.com",
  "https://api.anthropic.com\\@evil.example",
  "https://evil.example#@api.anthropic.com",
  "https://api.anthropic.com:22",
  "https://api.anthropic.com:80",
  "https://api.anthropic.com:0",
  "https://api.anthropic.com:65536",
  "https://api.anthropic.com.",
  "https://api.anthropic.com?x=1",
  "https://api.anthropic.com#",
  "https://api.anthropic.com?",
  "https:api.anthropic.com",
  "https:/api.anthropic.com",
  "https:///api.anthropic.com",
  "//api.anthropic.com",
  "api.anthropic.com",
  "gopher://example.com",
  "file:///etc/passwd",
  "data:text/plain,x",
  "unix:/run/x.sock",
  "ftp://example.com",
  "javascript:alert(1)",
  "https://",
  "",
  " https://api.anthropic.com",
  "https://api.anthropic.com ",
  "https://api.anthropic.com\n",
  "https://api.anth\tropic.com",
  "https://exa mple.com",
  "https://ex%61mple.com",
  "https://-a.example",
  "https://a..example.com",
  "https://a_b.example.com",
  "https://example.com//x",
  "https://router.lan",
  "https://box.home.arpa",
  `https://example.com/${"a".repeat(2_048)}`,
])("refuses %j", (text) => {
  const result = parseBaseUrl(text, strict);
  expect(result.ok).toBe(false);
  if (!result.ok) expect(describeBaseUrlProblem(result.error)).toStartWith("Cannot use the base URL: ");
});

test.each([
  { text: "https://api.anthropic.com", expected: "https://api.anthropic.com" },
  { text: "HTTPS://API.Anthropic.COM:443/", expected: "https://api.anthropic.com" },
  { text: "https://gw.example.com:8443/anthropic/", expected: "https://gw.example.com:8443/anthropic" },
  { text: "https://example.com/a/../b/./c", expected: "https://example.com/b/c" },
  { text: "https://example.com/a%2Fb", expected: "https://example.com/a%2Fb" },
  { text: "https://xn--bcher-kva.example", expected: "https://xn--bcher-kva.example" },
  { text: "https://8.8.8.8", expected: "https://8.8.8.8" },
  { text: "https://[2606:4700:0:0::1]/v", expected: "https://[2606:4700::1]/v" },
])("normalises $text", ({ text, expected }) => {
  expect<unknown>(parseBaseUrl(text, strict)).toEqual(ok(expected));
  expect<unknown>(parseBaseUrl(expected, strict)).toEqual(ok(expected));
});

test.each([
  { text: "http://localhost:9000/", expected: "http://localhost:9000" },
  { text: "http://127.1:80", expected: "http://127.0.0.1" },
  { text: "https://[::1]:9443/x/", expected: "https://[::1]:9443/x" },
  { text: "http://sim", expected: "http://sim" },
])("accepts $text only when private upstreams are allowed", ({ text, expected }) => {
  expect(parseBaseUrl(text, strict).ok).toBe(false);
  expect<unknown>(parseBaseUrl(text, lax)).toEqual(ok(expected));
});

test.each(["http://a@localhost", "http://localhost.", "http://localhost?x", "ftp://localhost", "http://localhost:0"])(
  "refuses %s even when private upstreams are allowed",
  (text) => expect(parseBaseUrl(text, lax).ok).toBe(false),
);

test("takes a base URL apart", () => {
  const parsed = parseBaseUrl("https://[::1]:9443/x", lax);
  expect(parsed.ok && originOf(parsed.value)).toEqual({
    key: "https://[::1]:9443",
    isTls: true,
    hostname: "::1",
    isIpLiteral: true,
    port: 9443,
    host: "[::1]:9443",
    pathPrefix: "/x",
  });
});

test("never throws, and what it accepts is stable and https", () => {
  fc.assert(
    fc.property(fc.oneof(fc.webUrl({ withFragments: true, withQueryParameters: true }), fc.string()), (text) => {
      const result = parseBaseUrl(text, strict);
      if (!result.ok) return;
      expect(result.value.startsWith("https://")).toBe(true);
      expect(parseBaseUrl(result.value, strict)).toEqual(ok<BaseUrl>(result.value));
    }),
    { numRuns: 500 },
  );
});
