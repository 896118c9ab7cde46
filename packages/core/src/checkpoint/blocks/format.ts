/** A quantised format of GGUF: blocks of so many elements, each with its own scale. */
export interface BlockFormat {
  /** Number of the type in GGUF files (ggml.h). */
  readonly type: number
  /** Elements of a block; rows hold whole blocks. */
  readonly size: number
  /** Bytes of a block. */
  readonly bytes: number
  /**
   * Writes the values of the block that begins at byte `at` to `values` from element `to` on, as f32. They are those of ggml
   * bit for bit: an f16 scale times the whole numbers that multiply it is exact in f32, and only the last operation rounds.
   */
  decode(bytes: Uint8Array, at: number, values: Float32Array, to: number): void
  /**
   * Writes the block of the values from element `from` on to the bytes at `at`; absent for formats that are only read. Blocks of 32 are
   * those of llama.cpp's reference bit for bit (as of the package gguf); the scales of blocks of 256 are searched for as it does.
   */
  encode?(values: Float32Array, from: number, bytes: Uint8Array, at: number): void
}
