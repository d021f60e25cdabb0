import { REFRESHER_MUTATIONS } from "../test/mutation/refresher-mutations.ts";
import { noticeAll } from "./mutations.ts";

// Part of `npm run test:long`.
const REFRESHER = {
  folder: "src/credentials",
  copied: ["test/fakes", "test/property/credentials", "test/unit/credentials"],
  tests: ["test/property/credentials/refreshing*.test.ts", "test/unit/credentials/refresh*.test.ts"],
  variables: { SHRINK: "no" },
};

process.exitCode = noticeAll(REFRESHER, REFRESHER_MUTATIONS) ? 0 : 1;
