/** Scale of group 0 to 7 in the 12 bytes at `at` of Q4_K and Q5_K: 6 bits, from group 4 on in two places. */
export const scaleOf = (bytes: Uint8Array, at: number, group: number): number =>
  group < 4 ? bytes[at + group]! & 63 : (bytes[at + group + 4]! & 15) | ((bytes[at + group - 4]! >>> 6) << 4)

/** Min of a group, likewise. */
export const minOf = (bytes: Uint8Array, at: number, group: number): number =>
  group < 4 ? bytes[at + group + 4]! & 63 : (bytes[at + group + 4]! >>> 4) | ((bytes[at + group]! >>> 6) << 4)

/** Writes scale and min of a group, both below 64, to bytes that were 0. */
export function putScaleAndMin(
  bytes: Uint8Array,
  at: number,
  group: number,
  scale: number,
  min: number,
): void {
  if (group < 4) {
    bytes[at + group]! |= scale
    bytes[at + group + 4]! |= min
    return
  }
  bytes[at + group + 4]! |= (scale & 15) | ((min & 15) << 4)
  bytes[at + group - 4]! |= (scale >>> 4) << 6
  bytes[at + group]! |= (min >>> 4) << 6
}
