import { afterEach, describe, expect, test } from "bun:test";
import { parsePasted } from "./account-login.ts";
import { CliFailure } from "./cli-io.ts";
import { cleanUp, startGateway } from "./cli-world.test.ts";
import { listenForRedirect } from "./redirect-listener.ts";

afterEach(cleanUp);

test.each([
  { text: "https://console.example/cb?code=c-1&state=s-1", expected: { code: "c-1", state: "s-1" } },
  { text: "http://127.0.0.1:7/callback?state=s-1&code=c-1", expected: { code: "c-1", state: "s-1" } },
  { text: "c-1#s-1", expected: { code: "c-1", state: "s-1" } },
  { text: "c-1", expected: null },
  { text: "c-1#", expected: null },
  { text: "https://console.example/cb?code=c-1", expected: null },
  { text: "", expected: null },
])("reads $text as it was pasted", ({ text, expected }) => {
  expect(parsePasted(text)).toEqual(expected);
});

describe("account add --oauth", () => {
  const ADD = ["account", "add", "login", "--oauth"];
  const URLS = ["--authorize-url", "https://idp.example/a", "--token-url", "https://idp.example/t"];

  test.each([
    { argv: ADD, said: "--oauth needs --authorize-url and --token-url" },
    { argv: [...ADD, ...URLS], said: "--accept-terms" },
    { argv: [...ADD, ...URLS, "--key-stdin"], said: "exactly one of" },
    {
      argv: [...ADD, ...URLS, "--accept-terms", "--loopback", "--redirect-uri", "https://a.example/cb"],
      said: "only one of --loopback and --redirect-uri",
    },
  ])("is a mistake of usage: $said", async ({ argv, said }) => {
    const { cli } = await startGateway();
    const { code, stderr } = await cli(argv);
    expect({ code, isSaid: stderr.includes(said) }).toEqual({ code: 2, isSaid: true });
  });
});

describe("the loopback redirect", () => {
  test("is 127.0.0.1 on a free port, and takes code and state once the browser comes", async () => {
    const listener = listenForRedirect();
    expect(listener.redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:[0-9]+\/callback$/);
    expect((await fetch(listener.redirectUri.replace("callback", "favicon.ico"))).status).toBe(404);
    expect((await fetch(listener.redirectUri)).status).toBe(400);
    expect((await fetch(`${listener.redirectUri}?code=c-1&state=s-1`)).status).toBe(200);
    expect(await listener.redirected()).toEqual({ code: "c-1", state: "s-1" });
    listener.stop();
  });

  test("tells when the provider refused, and when nobody comes", async () => {
    const refused = listenForRedirect();
    await fetch(`${refused.redirectUri}?error=access_denied&error_description=secret-canary`);
    const failure: unknown = await refused.redirected().catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(CliFailure);
    expect(String(failure)).not.toContain("canary");
    refused.stop();
    const late = listenForRedirect(1);
    expect(await late.redirected().catch(() => "late")).toBe("late" as never);
    late.stop();
  });
});
