import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { CliFailure, type CliIo, EXIT } from "./cli-io.ts";

const MAX_STDIN_BYTES = 64 * 1024;

/** The CLI's world when it runs as a process. */
export function createTerminalIo(given: Omit<CliIo, "stdout" | "stderr" | "stdin" | "isTty" | "ask">): CliIo {
  return {
    ...given,
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    stdin: readStdin,
    isTty: process.stdin.isTTY === true,
    ask,
  };
}

/** @throws CliFailure when more arrives than any credential may have. */
async function readStdin(): Promise<string> {
  const chunks: Uint8Array[] = [];
  let receivedBytes = 0;
  for await (const chunk of Bun.stdin.stream()) {
    receivedBytes += chunk.byteLength;
    if (receivedBytes > MAX_STDIN_BYTES) {
      throw new CliFailure(EXIT.refused, `Cannot read standard input: it holds more than ${MAX_STDIN_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Asks on stderr, since stdout is data. Readline in terminal mode echoes to its output, so a hidden one has none. */
function ask(question: string, { isHidden }: { readonly isHidden: boolean }): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: isHidden ? nowhere : process.stderr, terminal: true });
  if (isHidden) process.stderr.write(question);
  return new Promise((resolve, reject) => {
    reader.once("SIGINT", () => {
      reader.close();
      reject(new CliFailure(EXIT.refused, "Cannot go on: interrupted"));
    });
    reader.question(isHidden ? "" : question, (answer) => {
      if (isHidden) process.stderr.write("\n");
      reader.close();
      resolve(answer);
    });
  });
}
