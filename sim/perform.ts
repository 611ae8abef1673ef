import { assertNever } from "../src/kernel/result.ts";
import type { Reaction } from "./api.ts";
import type { DeliveryEnd } from "./deliver.ts";
import { deliver } from "./deliver.ts";
import type { SocketWriter } from "./socket-writer.ts";
import type { RawStep } from "./step.ts";

/** Plays a reaction on its socket until its end. */
export async function perform(writer: SocketWriter, reaction: Reaction): Promise<DeliveryEnd> {
  switch (reaction.kind) {
    case "answer":
      return deliver(writer, reaction.answer);
    case "raw":
      return performRaw(writer, reaction);
    case "refuse":
      writer.cut("fin");
      return "cut";
    case "reset":
      writer.cut("reset");
      return "cut";
    case "silence":
      await writer.gone();
      return "gone";
    default:
      return assertNever(reaction);
  }
}

async function performRaw(writer: SocketWriter, step: RawStep): Promise<DeliveryEnd> {
  const parts = typeof step.bytes === "string" ? [step.bytes] : step.bytes;
  for (const [index, part] of parts.entries()) {
    if (index > 0 && !(await pauseBetween(writer, step))) return "gone";
    if (!(await writer.write(Buffer.from(part, step.bytesEncoding ?? "latin1")))) return "gone";
  }
  const end = step.end ?? "fin";
  if (end === "keepOpen") return "complete";
  writer.cut(end);
  return end === "fin" ? "closed" : "cut";
}

function pauseBetween(writer: SocketWriter, step: RawStep): Promise<boolean> {
  return step.partDelayMs === undefined ? writer.yieldTurn() : writer.pause(step.partDelayMs);
}
