// Installs all that is locked and stops there: for CI, where a registry that is briefly down is tried again.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { installLocked } from "./install-locked.mjs";

installLocked(dirname(dirname(fileURLToPath(import.meta.url))), "all");
