// SIGUSR1 would open an inspector that reads every secret in memory. Nothing else may be loaded before this line.
process.on("SIGUSR1", () => undefined);

if (process.argv[2] === "pkcs11-token") {
  // The gateway calls itself so, to keep a vendor's library out of its own process (open-keyring.ts).
  const { serveToken } = await import("./keyring/pkcs11/token-command.ts");
  process.exitCode = await serveToken();
} else {
  const { runCommand } = await import("./command.ts");
  process.exitCode = await runCommand(process.argv.slice(2));
}

// Marks the file as a module: it must not have an import, since imports run first.
export {};
