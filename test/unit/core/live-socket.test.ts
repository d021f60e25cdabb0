import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { isListenedOn } from "../../../src/core/live-socket.ts";

function createFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "live-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function listen(path: string): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  return server;
}

describe("a unix socket", () => {
  test("is live while somebody listens on it", async (t) => {
    const path = join(createFolder(t), "s");
    const server = await listen(path);
    t.after(() => server.close());
    assert.equal(await isListenedOn(path), true);
  });

  test("is stale when nobody does any more, and when there is none", async (t) => {
    const folder = createFolder(t);
    const server = await listen(join(folder, "first"));
    // Closing removes the name that was listened on, and not this one.
    renameSync(join(folder, "first"), join(folder, "left"));
    await new Promise((resolve) => {
      server.close(resolve);
    });
    assert.equal(await isListenedOn(join(folder, "left")), false);
    assert.equal(await isListenedOn(join(folder, "none")), false);
  });

  test("is neither where it cannot be told", async (t) => {
    await assert.rejects(isListenedOn(join(createFolder(t), "x".repeat(200))), /EINVAL|ENAMETOOLONG/);
  });
});
