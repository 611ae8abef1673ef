const ADMIN_PATH = /^\/(?:api|auth)(?:\/|$)/;

/** Whether a path is one of the admin plane, or would be if it were known. */
// hot path
export function isAdminPath(path: string): boolean {
  return ADMIN_PATH.test(path);
}
