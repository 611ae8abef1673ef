import { z } from "zod";

/** RFC 3339 in UTC, e.g. "2026-11-23T19:32:00.000Z". */
export const instantSchema = z.iso.datetime().meta({ description: "RFC 3339 in UTC" });
