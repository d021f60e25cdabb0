/** Freezes a value and all that it holds. Maps refuse to be changed as well, which Object.freeze alone does not do. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  if (value instanceof Map) return freezeMap(value);
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}

function freezeMap<T extends Map<unknown, unknown>>(map: T): T {
  const refuse = () => {
    throw new TypeError("a config cannot be changed");
  };
  for (const part of map.values()) deepFreeze(part);
  // Not enumerable: it still equals a plain map with the same entries.
  Object.defineProperties(map, { set: { value: refuse }, delete: { value: refuse }, clear: { value: refuse } });
  return Object.freeze(map);
}
