import { z } from "zod";

export const strategySchema = z
  .object({
    name: z.string().meta({ example: "session" }),
    source: z
      .enum(["configuration", "stored", "default"])
      .meta({ description: "configuration: by environment or file, and not to be changed while the gateway runs" }),
    givenBy: z.string().nullable().meta({ example: "LB_STRATEGY" }),
    strategies: z.array(z.string()).meta({ description: "All that there are" }),
  })
  .meta({ id: "Strategy" });

/** Which names there are is the control plane's, so that its refusal can name them. */
export const setStrategySchema = z.strictObject({ name: z.string() }).meta({ id: "SetStrategy" });

export type StrategyWire = z.infer<typeof strategySchema>;
export type SetStrategy = z.infer<typeof setStrategySchema>;
