/**
 * A map with a bound: setting a key makes it the newest, and beyond the bound the one that was not set for longest goes.
 * Who wants what is used to stay sets it again when it is used.
 */
export class RecentMap<K, V> extends Map<K, V> {
  readonly #maxSize: number;

  /** @param maxSize at least 1 */
  constructor(maxSize: number) {
    super();
    this.#maxSize = maxSize;
  }

  override set(key: K, value: V): this {
    // A map keeps the order of insertion: its first key is the oldest.
    this.delete(key);
    super.set(key, value);
    const [oldest] = this.keys();
    if (this.size > this.#maxSize && oldest !== undefined) this.delete(oldest);
    return this;
  }
}
