import { describe, expect, test } from "bun:test";
import { err, ok } from "../kernel/result.ts";
import type { ConfigProblem, Environment } from "./config.ts";
import { loadConfig } from "./load-config.ts";

const BASE = { HOME: "/home/op", BUN_CONFIG_MAX_HTTP_REQUESTS: "65535" };
const PAIR = { SSL_CERT_PATH: "/c.pem", SSL_KEY_PATH: "/k.pem" };

function load(env: Environment, file = "") {
  return loadConfig({
    flags: { config: "/gw.toml" },
    env: { ...BASE, ...env },
    readFile: (path) => (path === "/gw.toml" ? ok({ text: file, mode: 0o600, isOurs: true }) : err("absent")),
  });
}

function problemsOf(env: Environment, file = ""): readonly Pick<ConfigProblem, "key" | "reason" | "fix">[] {
  const loaded = load(env, file);
  return loaded.ok ? [] : loaded.error;
}

describe("T-25.11 an environment that opens the process", () => {
  test.each([
    { name: "NODE_TLS_REJECT_UNAUTHORIZED", value: "0" },
    { name: "NODE_OPTIONS", value: "--max-old-space-size=100 --insecure-http-parser" },
    { name: "NODE_OPTIONS", value: "--inspect" },
    { name: "NODE_OPTIONS", value: "--inspect-brk=0.0.0.0:9229" },
    { name: "BUN_OPTIONS", value: "--inspect-wait" },
    { name: "BUN_OPTIONS", value: "--insecure-http-parser" },
    { name: "BUN_INSPECT", value: "ws://127.0.0.1:1/x" },
    { name: "BUN_INSPECT_CONNECT_TO", value: "unix:///tmp/x" },
    { name: "BUN_INSPECT_NOTIFY", value: "unix:///tmp/x" },
  ])("T-25.11 $name=$value is refused with its fix", ({ name, value }) => {
    expect(problemsOf({ [name]: value })).toEqual([
      expect.objectContaining({ key: name, fix: expect.stringMatching(/^(unset|remove)/) }),
    ]);
  });

  test("T-25.11 what opens nothing is no mistake", () => {
    expect(problemsOf({ NODE_OPTIONS: "--max-old-space-size=100", BUN_INSPECT: "", BUN_OPTIONS: "--smol" })).toEqual(
      [],
    );
  });

  test("NODE_EXTRA_CA_CERTS is kept, so that a start can tell of it", () => {
    const loaded = load({ NODE_EXTRA_CA_CERTS: "/ca.pem" });
    expect(loaded.ok ? loaded.value.config.furtherAuthoritiesFile : "").toBe("/ca.pem");
    const without = load({});
    expect(without.ok ? without.value.config.furtherAuthoritiesFile : "").toBeNull();
  });
});

describe("the section tls", () => {
  test("a certificate allows any address, without a warning of a proxy", () => {
    const loaded = load({ ...PAIR, BETTER_CCFLARE_HOST: "0.0.0.0" });
    expect(loaded.ok && loaded.value.warnings).toEqual([]);
  });

  test.each([
    { env: { SSL_CERT_PATH: "/c.pem" }, file: "", key: "SSL_CERT_PATH", lacks: "tls.keyFile" },
    { env: { SSL_KEY_PATH: "/k.pem" }, file: "", key: "SSL_KEY_PATH", lacks: "tls.certFile" },
    { env: {}, file: '[tls]\nclientCaFile = "/a.pem"', key: "tls.clientCaFile", lacks: "tls.certFile" },
    { env: PAIR, file: '[tls]\ncrlFile = "/a.crl"', key: "tls.crlFile", lacks: "tls.clientCaFile" },
    { env: PAIR, file: '[tls]\nclientNames = ["DNS:a"]', key: "tls.clientNames", lacks: "tls.clientCaFile" },
  ])("$key alone is a mistake that names $lacks", ({ env, file, key, lacks }) => {
    expect(problemsOf(env, file)).toEqual([expect.objectContaining({ key, reason: expect.stringContaining(lacks) })]);
  });

  test.each([
    { file: 'certFile = "tls.crt"', key: "tls.certFile" },
    { file: 'keyFile = "~/tls.key"', key: "tls.keyFile" },
    { file: 'minVersion = "1.1"', key: "tls.minVersion" },
    { file: 'clientNames = ["agent.example"]', key: "tls.clientNames" },
    { file: 'clientNames = ["DNS:a, DNS:b"]', key: "tls.clientNames" },
    { file: 'clientNames = ["URI:a\\"b"]', key: "tls.clientNames" },
  ])("$file is refused", ({ file, key }) => {
    expect(problemsOf({}, `[tls]\n${file}`).map((problem) => problem.key)).toEqual([key]);
  });

  test("only a certificate makes a bind to other machines right", () => {
    const [problem] = problemsOf({ BETTER_CCFLARE_HOST: "0.0.0.0" });
    expect(problem?.fix).toContain("certFile and keyFile under [tls]");
  });
});

describe("upstream.pins", () => {
  const A = `sha256/${"A".repeat(43)}=`;
  const B = `sha256/${"B".repeat(43)}=`;
  const file = (...entries: string[]) => `[upstream]\npins = ${JSON.stringify(entries)}`;

  test("T-25.09 an entry is kept as it is written", () => {
    const loaded = load({}, file(`api.example.com report 2027-06-30 ${A} ${B}`));
    expect(loaded.ok && loaded.value.config.upstream.pins).toEqual([`api.example.com report 2027-06-30 ${A} ${B}`]);
  });

  test.each([
    { entries: [`h enforce 2027-06-30 ${A}`], reason: "one pin" },
    { entries: [`h enforce 2027-02-31 ${A} ${B}`], reason: "no day 2027-02-31" },
    { entries: [`h enforce 2027-06-30 ${A} ${B}`, `H report 2027-06-30 ${A} ${B}`], reason: "two entries" },
    { entries: ["h enforce"], reason: "is not a list of entries" },
  ])("T-25.09 $entries is refused", ({ entries, reason }) => {
    expect(problemsOf({}, file(...entries))).toEqual([
      expect.objectContaining({ key: "upstream.pins", reason: expect.stringContaining(reason) }),
    ]);
  });
});
