/** A listener that could not be opened: `serve` says why and exits 2. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}
