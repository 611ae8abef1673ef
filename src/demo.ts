import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { App } from "./app.ts";
import type { Environment } from "./config/config.ts";

/** A gateway to look at: simulated accounts, a throw-away data directory, nothing that leaves this machine. */
export type Demo = {
  readonly dataDir: string;
  readonly env: Environment;
  /** Adds the sample accounts. */
  fill(app: App): Promise<void>;
  stop(): Promise<void>;
};

const SAMPLE_ACCOUNTS = [
  { name: "demo-main", priority: 10, organization: "demo-org-1" },
  { name: "demo-second", priority: 20, organization: "demo-org-1" },
  { name: "demo-spare", priority: 30, organization: "demo-org-2" },
] as const;

export async function startDemo(): Promise<Demo> {
  // Loaded here alone: a gateway that serves real accounts never runs a line of the simulator.
  const { startSimulator } = await import("../sim/simulator.ts");
  const simulator = await startSimulator({ recording: "counts" });
  const dataDir = mkdtempSync(join(tmpdir(), "better-ccflare-demo-"));
  return {
    dataDir,
    env: { BETTER_CCFLARE_ALLOW_PRIVATE_UPSTREAMS: "1" },
    async fill(app) {
      for (const { name, priority, organization } of SAMPLE_ACCOUNTS) {
        const credential = `sim-${name}`;
        simulator.account(credential, { organization });
        await app.addSampleAccount({ name, priority, organization, baseUrl: simulator.url, credential });
      }
    },
    async stop() {
      await simulator.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
