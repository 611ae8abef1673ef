import { type GatewayOptions, startGateway } from "./gateway-process.ts";

/** How a start that must not succeed ended. */
export async function refusedStart(
  options: GatewayOptions,
): Promise<{ readonly code: number; readonly output: string }> {
  const failure: unknown = await startGateway(options).then(
    async (gateway) => gateway.stop(),
    (cause: unknown) => cause,
  );
  const [, code, output] = /exited with (\d+)\n(.*)$/s.exec(failure instanceof Error ? failure.message : "") ?? [];
  if (code === undefined || output === undefined) throw new Error("Cannot see a refusal: the gateway started");
  return { code: Number(code), output };
}
