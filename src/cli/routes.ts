import type { Command } from "commander";
import { type CliIo, emit, type RouteLine } from "./cli-io.ts";
import { renderTable } from "./table.ts";

export function addRoutesCommand(program: Command, io: CliIo): void {
  program
    .command("routes")
    .description("List every route of the process, with what is decided before it is served")
    .option("--json", "print JSON")
    .action((options: { readonly json?: boolean }) => emit(io, options.json === true, io.routes(), renderRoutes));
}

function renderRoutes(routes: readonly RouteLine[]): string {
  const rows = routes.map((route) => [
    route.method,
    route.path,
    route.plane,
    route.auth,
    route.permission.join(" or "),
    route.stepUp ? "yes" : "",
  ]);
  return renderTable(["METHOD", "PATH", "PLANE", "CREDENTIAL", "PERMISSION", "STEP-UP"], rows);
}
