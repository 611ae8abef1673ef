import { z } from "zod";

const level = z.enum(["trace", "debug", "info", "warn", "error", "fatal"]);

export const logLevelSchema = z
  .object({
    level: level.meta({ description: "Least level that is printed" }),
    configured: level.meta({ description: "What a restart goes back to" }),
  })
  .meta({ id: "LogLevel" });

export const setLogLevelSchema = z.strictObject({ level }).meta({ id: "SetLogLevel" });

export type LogLevelWire = z.infer<typeof logLevelSchema>;
