/** In the data directory: where the CLI finds the running gateway. */
export const SOCKET_NAME = "control.sock";
