/** CRC-32C, bit by bit: RFC 3720, appendix B.4. */
export function bitwiseCrc32c(bytes: Uint8Array): number {
  let remainder = 0xffff_ffff;
  for (const byte of bytes) {
    remainder ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      remainder = (remainder & 1) === 1 ? (remainder >>> 1) ^ 0x82f6_3b78 : remainder >>> 1;
    }
  }
  return (remainder ^ 0xffff_ffff) >>> 0;
}
