import { VERIFICATION_MUTATIONS } from "../test/mutation/verification-mutations.ts";
import { noticeAll } from "./mutations.ts";

// Part of `npm run test:long`.
const VERIFICATION = {
  folder: "src/kms",
  copied: ["test/fakes", "test/property/kms"],
  tests: ["test/property/kms/integrity.test.ts"],
  variables: { OPERATIONS: "20000" },
};

process.exitCode = noticeAll(VERIFICATION, VERIFICATION_MUTATIONS) ? 0 : 1;
