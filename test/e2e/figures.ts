/** Prints measured figures for whoever reads the run, each on a line of its own: `figure: kill.rows=123`. */
export function printFigures(scenario: string, figures: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(figures)) {
    if (typeof value === "object" && value !== null) printFigures(`${scenario}.${name}`, { ...value });
    else process.stdout.write(`figure: ${scenario}.${name}=${String(value)}\n`);
  }
}
