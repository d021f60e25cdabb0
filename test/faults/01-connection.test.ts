/** The connection to Cloud KMS fails. */
import { testFaults } from "./harness/withstand.ts";

testFaults([
  {
    fault: "connection refused",
    promise: "the call says so and what to check",
    sees: "UNAVAILABLE: could not be reached: ECONNREFUSED",
    arrange: ({ wire }) => wire.harm("refused"),
    expect: { status: "UNAVAILABLE", says: /could not be reached: (ECONNREFUSED|ECONNRESET|connection failed)/ },
  },
  {
    fault: "hang: connections are made and nothing comes back",
    promise: "the call ends with its deadline and says whom it waited for",
    sees: "DEADLINE_EXCEEDED: which host did not answer, and for how long",
    arrange: ({ wire }) => wire.harm("silent"),
    expect: { status: "DEADLINE_EXCEEDED", says: /Cloud KMS at 127\.0\.0\.1:\d+ did not answer within 3000 ms/ },
  },
  {
    fault: "reset before the answer",
    promise: "tried again, then told",
    sees: "UNAVAILABLE: could not be reached: ECONNRESET",
    arrange: ({ wire }) => wire.harm("reset-before"),
    expect: { status: "UNAVAILABLE", says: /could not be reached: / },
  },
  {
    fault: "reset during the answer",
    promise: "half an answer is none",
    sees: "UNAVAILABLE: could not be reached: ECONNRESET",
    arrange: ({ wire }) => wire.harm("reset-within"),
    expect: { status: "UNAVAILABLE", says: /could not be reached: / },
  },
  {
    fault: "reset after the answer",
    promise: "the next call does not notice",
    arrange: ({ wire }) => wire.resetAll(),
    expect: "served",
  },
  {
    fault: "one reset, before the answer",
    promise: "the call does not notice",
    arrange: ({ emulator }) => {
      for (const endpoint of ["kms.encrypt", "kms.decrypt"] as const) {
        emulator.admin.addFault({ kind: "reset", endpoint, times: 1 });
      }
    },
    expect: "served",
  },
  {
    fault: "truncated body",
    promise: "half an answer is none",
    sees: "UNAVAILABLE: could not be reached, and what broke",
    arrange: ({ wire }) => wire.harm("truncated"),
    expect: { status: "UNAVAILABLE", says: /could not be reached: / },
  },
  {
    fault: "slow-drip body: a byte a second",
    promise: "the call ends with its deadline all the same",
    sees: "DEADLINE_EXCEEDED: which host did not answer, and for how long",
    arrange: ({ wire }) => wire.harm("dripping"),
    expect: { status: "DEADLINE_EXCEEDED", says: /did not answer within 3000 ms/ },
  },
  {
    fault: "something else answers that speaks no HTTP",
    promise: "the call says that Cloud KMS could not be reached",
    sees: "UNAVAILABLE: could not be reached, and what to check",
    arrange: ({ wire }) => {
      wire.resetAll();
      return wire.harm("garbage");
    },
    expect: { status: "UNAVAILABLE", says: /could not be reached: / },
  },
]);
