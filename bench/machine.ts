import { cpus, loadavg, release, totalmem } from "node:os";

const GIB = 1024 ** 3;

/** One line that says where the figures were measured. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown CPU";
  const nginx = Bun.spawnSync(["nginx", "-v"]).stderr.toString().trim().replace("nginx version: ", "");
  const load = loadavg()[0]?.toFixed(2) ?? "?";
  const memory = `${(totalmem() / GIB).toFixed(0)} GiB`;
  return `${cpus().length} x ${model}, ${memory}, Linux ${release()}, Bun ${Bun.version}, ${nginx}, load ${load}`;
}
