import { expect, test } from "bun:test";
import { join } from "node:path";

test("every test of the listener passes over TLS as well", async () => {
  const child = Bun.spawn([process.execPath, "test", "src/http/http1"], {
    cwd: join(import.meta.dir, "..", ".."),
    env: { ...process.env, BCCF_LISTENER_TESTS_OVER_TLS: "1" },
    stdout: "ignore",
    stderr: "pipe",
  });
  const seen = await new Response(child.stderr).text();
  expect(seen).toMatch(/^ 0 fail$/m);
  expect(Number(/^ (\d+) pass$/m.exec(seen)?.[1])).toBeGreaterThan(300);
  expect(await child.exited).toBe(0);
}, 300_000);
