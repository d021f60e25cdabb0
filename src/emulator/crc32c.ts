// Written here once more on purpose: what judges a client's checksums must not share a mistake with it.
// Castagnoli, reflected: https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4
const POLYNOMIAL = 0x82f63b78;

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1;
  return remainder;
});

/** CRC32C, as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  let register = 0xffffffff;
  for (const byte of bytes) register = (register >>> 8) ^ (TABLE[(register ^ byte) & 0xff] ?? 0);
  return (register ^ 0xffffffff) >>> 0;
}
