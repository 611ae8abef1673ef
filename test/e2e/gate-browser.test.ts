import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type AdminWorld, startAdminWorld } from "./admin-world.ts";
import { type AttackReport, attackPage } from "./attack-page.ts";
import { CHROMIUM, openBrowser } from "./chromium.ts";

type Frame = { readonly frame: { readonly url: string; readonly unreachableUrl?: string } };
type Attack = { readonly report: AttackReport; readonly frames: readonly Frame[] };

let world: AdminWorld;

/** Visits a page of another origin that attacks `target`, with the cookies of somebody who is signed in there. */
async function attack(host: string, target: string, cookies: readonly string[]): Promise<Attack> {
  const reported = Promise.withResolvers<AttackReport>();
  const attacker = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      if (request.method !== "POST")
        return new Response(attackPage(target), { headers: { "content-type": "text/html" } });
      reported.resolve((await request.json()) as AttackReport);
      return new Response("thanks");
    },
  });
  try {
    await using page = await openBrowser(CHROMIUM ?? "");
    for (const cookie of cookies) {
      const [name, value] = cookie.split("=");
      await page.send("Network.setCookie", { name, value, url: target, httpOnly: true, sameSite: "Strict" });
    }
    await page.send("Page.navigate", { url: `http://${host}:${attacker.port}/` });
    const report = await reported.promise;
    const tree = (await page.send("Page.getFrameTree")) as { frameTree: { childFrames?: readonly Frame[] } };
    return { report, frames: tree.frameTree.childFrames ?? [] };
  } finally {
    await attacker.stop(true);
  }
}

async function state(): Promise<string> {
  const paths = ["/api/users", "/api/keys", "/api/tokens", "/api/strategy", "/api/accounts"];
  const texts = await Promise.all(paths.map(async (path) => (await world.ask({ path, as: world.owner })).text));
  return texts.join("\n").replaceAll(/"lastUsedAt":[^,}]*/g, "");
}

describe.skipIf(CHROMIUM === null)("a hostile page in a real browser", () => {
  beforeAll(async () => {
    world = await startAdminWorld();
  }, 60_000);
  afterAll(() => world.stop());

  test.each(["127.0.0.1", "localhost"])(
    "T-5.16 T-6.06 on %s changes nothing, reads nothing and frames nothing",
    async (host) => {
      const before = await state();
      const { report, frames } = await attack(host, world.gateway.url, [world.owner.cookie, world.owner.device]);
      expect(report.tried).toBeGreaterThan(100);
      expect(report.readable).toEqual([]);
      expect(await state()).toBe(before);
      expect((await world.ask({ path: "/auth/session", as: world.owner })).status).toBe(200);
      const shown = frames.filter(
        ({ frame }) => frame.url.startsWith(world.gateway.url) && frame.unreachableUrl === undefined,
      );
      expect(shown.map(({ frame }) => frame.url)).toEqual([]);
    },
    120_000,
  );

  test("T-5.16 does all of that to a server without these rules, so that the attack is one", async () => {
    let changes = 0;
    let carried = 0;
    const careless = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        if (request.method !== "GET" && request.method !== "OPTIONS") changes += 1;
        if (request.headers.get("cookie")?.includes("bccf_sid=canary") === true) carried += 1;
        const origin = request.headers.get("origin") ?? "*";
        const headers = {
          "access-control-allow-origin": origin,
          "access-control-allow-credentials": "true",
          "access-control-allow-headers": "content-type",
          "access-control-allow-methods": "GET, POST, PUT, DELETE",
        };
        return new Response("{}", { headers: { ...headers, "content-type": "application/json" } });
      },
    });
    const target = `http://127.0.0.1:${careless.port}`;
    const { report, frames } = await attack("127.0.0.1", target, ["bccf_sid=canary"]);
    await careless.stop(true);
    expect(changes).toBeGreaterThan(30);
    // Another port is the same site: a browser sends its cookies along, SameSite or not.
    expect(carried).toBeGreaterThan(30);
    expect(report.readable.length).toBeGreaterThan(12);
    expect(frames.some(({ frame }) => frame.url.startsWith(target))).toBe(true);
  }, 120_000);
});
