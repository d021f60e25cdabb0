import { fuzzGroup } from "./harness/fuzz-group.ts";

fuzzGroup("answers");
