// SIGUSR1 would open an inspector that reads every secret in memory. Nothing else may be loaded before this line.
process.on("SIGUSR1", () => undefined);

const { runCommand } = await import("./command.ts");

process.exitCode = await runCommand(process.argv.slice(2));

// Marks the file as a module: it must not have an import, since imports run first.
export {};
