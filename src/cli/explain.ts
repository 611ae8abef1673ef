import type { Command } from "commander";
import { type ExplanationWire, explanationSchema } from "../contract/explanation.ts";
import { type AdminClient, segment } from "./admin-client.ts";
import { type CliIo, emit } from "./cli-io.ts";
import { microUsd, orDash, printable, renderFields, shortInstant } from "./table.ts";

const EXAMPLES = `
Examples:
  explain 01a20a13-26df-747a-9241-856331637133
  explain 01a20a13-26df-747a-9241-856331637133 --json

The id is in the answer's header x-better-ccflare-request-id, and in the list of requests.`;

export function addExplainCommand(program: Command, io: CliIo, client: AdminClient): void {
  program
    .command("explain")
    .description("Say why a request went to the account it went to")
    .argument("<request>", "its id")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (id: string, options: { json?: boolean }) => {
      const explanation = await client.get(`/api/requests/${segment(id)}/explanation`, explanationSchema);
      emit(io, options.json === true, explanation, renderExplanation);
    });
}

function renderExplanation({ request, sentences }: ExplanationWire): string {
  const { status, outcome, usage, timing } = request;
  const fields = renderFields([
    ["Request", request.id],
    ["Started (UTC)", shortInstant(request.startedAt)],
    ["Outcome", status === null ? outcome : `${outcome}, status ${status}`],
    ["Account", orDash(request.account)],
    ["Client key", request.clientKey],
    ["Model", orDash(request.model)],
    ["Tries", String(request.attempts)],
    ["Waited", timing.queueMs === null ? "-" : `${Math.round(timing.queueMs)} ms`],
    ["Cache read", usage.cacheReadTokens === null ? "-" : `${usage.cacheReadTokens} tokens`],
    ["Thinking dropped", request.thinkingDropped === null ? "-" : `${request.thinkingDropped} blocks`],
    ["Cost", microUsd(request.costMicroUsd)],
  ]);
  return `${fields}\n\n${sentences.map((sentence) => printable(sentence)).join("\n")}`;
}
