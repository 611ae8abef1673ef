import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTokenEndpoint } from "../../sim/token-endpoint.ts";
import { insertLogin, openLoginDatabase } from "./login-database.ts";

export type KillFigures = {
  readonly kills: number;
  /** The store holds the endpoint's newest refresh token: the next renewal will work. */
  readonly intact: number;
  /** The endpoint rotated and the answer died with the process: nobody can have the new token. */
  readonly lost: number;
  /** Anything else: a blank token, an envelope that does not open, half a rotation. */
  readonly broken: number;
};

const LATENCY_MS = 8;

/** kill -9 at a random moment of a process that does nothing but renew, again and again on a new login. */
export async function runRefreshKills(rounds: number): Promise<KillFigures> {
  const folder = mkdtempSync(join(tmpdir(), "bccf-refresh-kill-"));
  const masterKey = randomBytes(32);
  const path = join(folder, "gateway.db");
  const endpoint = await startTokenEndpoint({
    clientId: "operator-client",
    latencyMs: () => Math.random() * LATENCY_MS,
  });
  const database = await openLoginDatabase(path, masterKey);
  const figures = { kills: 0, intact: 0, lost: 0, broken: 0 };
  try {
    for (let round = 0; round < rounds; round += 1) {
      const name = `login-${round}`;
      const id = await insertLogin(database, name, endpoint);
      const rotationsBefore = endpoint.counters.rotations;
      const command = [process.execPath, join(import.meta.dir, "refresh-worker.ts"), path, masterKey.toString("hex")];
      const worker = Bun.spawn([...command, "1", "100000", name], { stdio: ["ignore", "ignore", "inherit"] });
      while (endpoint.counters.rotations === rotationsBefore) await Bun.sleep(1);
      await Bun.sleep(Math.random() * 50);
      worker.kill("SIGKILL");
      await worker.exited;
      figures.kills += 1;
      // What was sent before the kill may still be rotated; then nothing more can be.
      await Bun.sleep(LATENCY_MS * 3);
      const login = await database.logins.read(id);
      const rotated = endpoint.counters.rotations - rotationsBefore;
      const place = { id, generation: login?.generation ?? 0, tokenUrl: endpoint.url };
      const opened = login?.refreshToken == null ? null : database.vault.openRefreshToken(place, login.refreshToken);
      const stored = (login?.generation ?? 0) - 1;
      if (opened?.ok !== true || login?.state !== "active" || stored > rotated) figures.broken += 1;
      else if (stored === rotated && endpoint.isCurrent(opened.value.reveal())) figures.intact += 1;
      else if (stored === rotated - 1) figures.lost += 1;
      else figures.broken += 1;
    }
    return figures;
  } finally {
    database.close();
    await endpoint.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
