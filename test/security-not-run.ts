/** Cases of the security test plan that no test shows, and why. A case that gets a test leaves this list. */
export const NOT_RUN: Readonly<Record<string, string>> = {
};
