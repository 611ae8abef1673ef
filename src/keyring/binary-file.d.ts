/** The path of a file that the executable carries, for `import ... with { type: "file" }`. */
declare module "*.bin" {
  const path: string;
  // biome-ignore lint/style/noDefaultExport: that is what such an import gives.
  export default path;
}
