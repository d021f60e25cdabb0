#!/usr/bin/env node
const MINIMUM_NODE_MAJOR = 26;

/** Argv, signals and exit codes; the commands live in `cli/`. */
async function main(): Promise<void> {
  const { useCompileCache } = await import("./cli/compile-cache.ts");
  // Before all that is worth being kept.
  useCompileCache();
  const { createProgram } = await import("./cli/program.ts");
  const { reportFailure } = await import("./cli/report-failure.ts");
  try {
    const program = await createProgram(process.argv[2]);
    await program.parseAsync();
  } catch (thrown) {
    reportFailure(thrown);
  }
}

/** Who reads our output may go away: `| head` has seen enough, a log collector restarts. A daemon serves on. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}

function refuseToRun(why: string): void {
  process.stderr.write(`sops-keyd: ${why}\n`);
  process.exitCode = 2;
}

outliveReaders();
if (Number.parseInt(process.versions.node, 10) < MINIMUM_NODE_MAJOR) {
  refuseToRun(`needs Node.js ${MINIMUM_NODE_MAJOR} or newer; this is ${process.version}`);
} else if (process.platform === "win32") {
  refuseToRun("runs on Linux and macOS; Windows is not supported (use it in WSL or a container)");
} else {
  await main();
}
