import { FUZZED_MUTATIONS } from "../test/mutation/fuzzed-mutations.ts";
import { noticeAll } from "./mutations.ts";

// Part of `npm run test:long`: a target that cannot fail shows nothing.
const COPIED = ["test", "proto", "examples", "scripts"];

const results = Object.entries(FUZZED_MUTATIONS).map(([target, mutations]) => {
  process.stdout.write(`${target}\n`);
  const variables = { FUZZ_TARGET: target, FUZZ_SECONDS: "6" };
  return noticeAll({ folder: "src", copied: COPIED, tests: ["test/fuzz/all-*.test.ts"], variables }, mutations);
});
process.exitCode = results.every((noticed) => noticed) ? 0 : 1;
