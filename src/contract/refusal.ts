import { z } from "zod";

/** Every answer of the admin API that is not 2xx. */
export const errorAnswerSchema = z
  .object({
    error: z.object({
      code: z.string().meta({ description: "Stable; never reused for another meaning", example: "name_taken" }),
      message: z.string().meta({ example: 'Cannot add account "work": another account has this name' }),
      field: z.string().optional().meta({ description: "The request field at fault, when it is one" }),
    }),
  })
  .meta({ id: "Error" });

export type ErrorAnswer = z.infer<typeof errorAnswerSchema>;
