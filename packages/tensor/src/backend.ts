import type { Buf } from './backend/buffer.js'
import type { Communicator } from './backend/communicator.js'
import type { Kernels } from './backend/kernels.js'
import type { BlockKernels } from './backend/quantized.js'
import type { FloatDType } from './dtype.js'

export * from './backend/attention.js'
export * from './backend/buffer.js'
export * from './backend/communicator.js'
export * from './backend/kernels.js'
export * from './backend/logits.js'
export * from './backend/optimizer.js'
export * from './backend/products.js'
export * from './backend/quantized.js'

/** Bytes in buffers now, at most so far, and taken from the system. Mapped files are counted apart. */
export interface MemoryInfo {
  allocated: number
  peak: number
  reserved: number
  mapped: number
  /** Buffers alive, views and maps included. */
  buffers: number
}

/** Facts about the device of a backend. */
export interface DeviceInfo {
  /** `counting` holds sizes alone (`@ift/tensor/counting`): nothing on it has values. */
  readonly kind: 'cpu' | 'cuda' | 'reference' | 'counting'
  readonly index: number
  /** For people: processor or GPU name and the instruction sets in use. */
  readonly description: string
  /** Fastest dtype for weights and activations that loses nothing a fine-tune needs. */
  readonly preferredDtype: FloatDType
  readonly threads: number
  /** Bytes of memory that the device has to itself; absent when it shares the machine's. */
  readonly memory?: number
}

/** A device: memory, a queue of kernels in order, and the only three ways to wait for it. */
export interface Backend extends Kernels {
  readonly name: string
  readonly device: DeviceInfo
  /** Uninitialised bytes, aligned to 64. Throws `IFT_OUT_OF_MEMORY`. */
  alloc(bytes: number): Buf
  /** A buffer that shares the bytes of `base`; freed on its own, and keeps the bytes alive. */
  view(base: Buf, byteOffset: number, bytes: number): Buf
  /** A read-only buffer over bytes of a file, mapped where the device allows it, streamed where not. */
  mapFile(path: string, offset: number, bytes: number): Buf
  /** Safe while queued kernels still use the buffer. */
  free(buf: Buf): void
  /** Host to device; `src` is copied before the call returns. Starts at byteOffset of dst. */
  write(dst: Buf, src: ArrayBufferView, byteOffset?: number): void
  /** Device to host, after everything queued so far. Rejects with the first error of a queued kernel. */
  read(src: Buf, dst: ArrayBufferView, byteOffset?: number): Promise<void>
  synchronize(): Promise<void>
  /**
   * Records the kernels and writes that `work` enqueues instead of running them, for devices on which a replay costs
   * less than the calls (a CUDA graph, a list of checked kernels); absent on others. `work` must not read, map files
   * or wait: `IFT_RECORDING`. Memory that it frees belongs to the recording; buffers that it leaves belong to the
   * caller, who keeps them as long as the recording.
   */
  record?(work: () => void): Recording
  /**
   * Whether kernels from here on give a row of a result the same bits whatever the other rows of the call are, how many there are
   * and where it stands among them: products x wᵀ with weights of every kind (a low-rank addition joins the sum in f32, which is
   * rounded once), paged attention, and what goes row by row anyway. `quantizedProduct` then takes any m. Gradients are left out.
   * False at first; a recording keeps what held for each of its kernels. Absent on devices without the mode.
   */
  invariantRows?: boolean
  /** Most rows of x that `quantizedProduct` takes where rows are not invariant: 16 where the device does not say. */
  readonly quantizedRows?: number
  /**
   * Whether products of many rows with an int8 matrix multiply in int8 (`QuantizedMatrix`), and `gemm`, `lowRank` and `lowRankBackward`
   * take one. No when absent: it is written out for them.
   */
  readonly int8Products?: boolean
  /** Absent on devices for which the blocks of GGUF files are written out. */
  readonly blocks?: BlockKernels
  /**
   * Whether hidden states between layers are better held in f32, where weights have 16 bits and no gradient is computed: norms that read
   * them cost little more here. No when absent; a program may set it otherwise before the first pass.
   */
  wideResidual?: boolean
  memory(): MemoryInfo
  /** Makes `peak` the bytes allocated now. */
  resetPeak(): void
  readonly comm: Communicator | null
  /** Frees everything; later calls throw `IFT_BACKEND_CLOSED`. */
  close(): void
}

/** Work of a device that was written down. */
export interface Recording {
  /**
   * Queues the work again, on the same buffers with what they hold then. Throws `IFT_RECORDING` when one of them was freed
   * since: nothing is queued then.
   */
  replay(): void
  release(): void
}
