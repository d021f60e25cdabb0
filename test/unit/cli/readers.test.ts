import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createKeyClient } from "../../fakes/key-client.ts";

const MAIN = new URL("../../../src/main.ts", import.meta.url).pathname;
const KEY = { gcpKmsKey: { resourceId: "projects/p/locations/global/keyRings/r/cryptoKeys/k" } };

test("serve goes on when the reader of its log goes away", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "readers-"));
  const address = join(directory, "keyd.sock");
  const args = [MAIN, "serve", "--emulator", "--network", "unix", "--address", address, "--json"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], timeout: 30_000 });
  const ended = once(child, "exit");
  const client = createKeyClient(`unix://${address}`);
  t.after(async () => {
    client.close();
    child.kill("SIGTERM");
    await ended;
    rmSync(directory, { recursive: true });
  });
  await Promise.race([once(child.stdout, "data"), ended.then(() => assert.fail("it ended before it served"))]);
  child.stderr.destroy();
  // Each call writes a line to the log.
  for (const dataKey of ["first", "second", "third"]) {
    const sealed = await client.encrypt(KEY, Buffer.from(dataKey));
    assert.equal(String(await client.decrypt(KEY, sealed)), dataKey);
  }
  assert.equal(child.exitCode, null);
});
