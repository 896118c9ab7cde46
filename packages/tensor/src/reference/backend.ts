import type { Backend, Buf, Communicator, DeviceInfo, Kernels, MemoryInfo } from '../backend.js'
import * as activations from './activations.js'
import * as attentionKernels from './attention.js'
import * as elementwise from './elementwise.js'
import * as loss from './loss.js'
import * as norms from './norms.js'
import * as optimizer from './optimizer.js'
import * as products from './products.js'
import * as quantized from './quantized.js'
import * as ropeKernels from './rope.js'
import * as rows from './rows.js'
import { topRows } from './top-rows.js'
import { Memory } from './memory.js'

type Arguments<K extends keyof Kernels> = Parameters<Kernels[K]>

/** The backend that others are measured against: float64 arithmetic in TypeScript, run inside the call. */
class ReferenceBackend implements Backend {
  readonly name = 'reference'
  readonly comm: Communicator | null = null
  readonly device: DeviceInfo = {
    kind: 'reference',
    index: 0,
    description: 'float64 arithmetic in TypeScript, for tests',
    preferredDtype: 'f32',
    threads: 1,
  }
  /** Not in exact mode: finite differences are of the values of a weight. */
  readonly int8Products: boolean
  readonly #memory: Memory

  constructor(exact: boolean) {
    this.int8Products = !exact
    this.#memory = new Memory(exact)
  }

  alloc(bytes: number): Buf {
    return this.#memory.alloc(bytes)
  }

  view(base: Buf, byteOffset: number, bytes: number): Buf {
    return this.#memory.view(base, byteOffset, bytes)
  }

  mapFile(path: string, offset: number, bytes: number): Buf {
    return this.#memory.mapFile(path, offset, bytes)
  }

  free(buf: Buf): void {
    this.#memory.free(buf)
  }

  write(dst: Buf, src: ArrayBufferView, byteOffset = 0): void {
    this.#memory.write(dst, src, byteOffset)
  }

  // The copy is taken before the promise is made: a buffer may be freed while its read is awaited.
  read(src: Buf, dst: ArrayBufferView, byteOffset = 0): Promise<void> {
    return attempt(() => this.#memory.read(src, dst, byteOffset))
  }

  synchronize(): Promise<void> {
    return attempt(() => this.#memory.settle())
  }

  memory(): MemoryInfo {
    return this.#memory.info()
  }

  resetPeak(): void {
    this.#memory.resetPeak()
  }

  close(): void {
    this.#memory.close()
  }

  gemm(...args: Arguments<'gemm'>): void {
    products.gemm(this.#memory, ...args)
  }

  lowRank(...args: Arguments<'lowRank'>): void {
    products.lowRank(this.#memory, ...args)
  }

  lowRankBackward(...args: Arguments<'lowRankBackward'>): void {
    products.lowRankBackward(this.#memory, ...args)
  }

  sumRows(...args: Arguments<'sumRows'>): void {
    products.sumRows(this.#memory, ...args)
  }

  quantize(...args: Arguments<'quantize'>): void {
    quantized.quantize(this.#memory, ...args)
  }

  dequantize(...args: Arguments<'dequantize'>): void {
    quantized.dequantize(this.#memory, ...args)
  }

  get quantizedRows(): number {
    return quantized.mostRows
  }

  quantizedProduct(...args: Arguments<'quantizedProduct'>): void {
    quantized.quantizedProduct(this.#memory, ...args)
  }

  rmsNorm(...args: Arguments<'rmsNorm'>): void {
    norms.rmsNorm(this.#memory, ...args)
  }

  rmsNormBackward(...args: Arguments<'rmsNormBackward'>): void {
    norms.rmsNormBackward(this.#memory, ...args)
  }

  layerNorm(...args: Arguments<'layerNorm'>): void {
    norms.layerNorm(this.#memory, ...args)
  }

  layerNormBackward(...args: Arguments<'layerNormBackward'>): void {
    norms.layerNormBackward(this.#memory, ...args)
  }

  rope(...args: Arguments<'rope'>): void {
    ropeKernels.rope(this.#memory, ...args)
  }

  attention(...args: Arguments<'attention'>): void {
    attentionKernels.attention(this.#memory, ...args)
  }

  attentionBackward(...args: Arguments<'attentionBackward'>): void {
    attentionKernels.attentionBackward(this.#memory, ...args)
  }

  attentionPaged(...args: Arguments<'attentionPaged'>): void {
    attentionKernels.attentionPaged(this.#memory, ...args)
  }

  swiglu(...args: Arguments<'swiglu'>): void {
    activations.swiglu(this.#memory, ...args)
  }

  swigluBackward(...args: Arguments<'swigluBackward'>): void {
    activations.swigluBackward(this.#memory, ...args)
  }

  unary(...args: Arguments<'unary'>): void {
    activations.unary(this.#memory, ...args)
  }

  unaryBackward(...args: Arguments<'unaryBackward'>): void {
    activations.unaryBackward(this.#memory, ...args)
  }

  fill(...args: Arguments<'fill'>): void {
    elementwise.fill(this.#memory, ...args)
  }

  axpby(...args: Arguments<'axpby'>): void {
    elementwise.axpby(this.#memory, ...args)
  }

  mul(...args: Arguments<'mul'>): void {
    elementwise.mul(this.#memory, ...args)
  }

  scaleColumns(...args: Arguments<'scaleColumns'>): void {
    elementwise.scaleColumns(this.#memory, ...args)
  }

  scaleColumnsBackward(...args: Arguments<'scaleColumnsBackward'>): void {
    elementwise.scaleColumnsBackward(this.#memory, ...args)
  }

  rowNorms(...args: Arguments<'rowNorms'>): void {
    elementwise.rowNorms(this.#memory, ...args)
  }

  cast(...args: Arguments<'cast'>): void {
    elementwise.cast(this.#memory, ...args)
  }

  dropout(...args: Arguments<'dropout'>): void {
    elementwise.dropout(this.#memory, ...args)
  }

  random(...args: Arguments<'random'>): void {
    elementwise.random(this.#memory, ...args)
  }

  copy2d(...args: Arguments<'copy2d'>): void {
    elementwise.copy2d(this.#memory, ...args)
  }

  gatherRows(...args: Arguments<'gatherRows'>): void {
    rows.gatherRows(this.#memory, ...args)
  }

  scatterRows(...args: Arguments<'scatterRows'>): void {
    rows.scatterRows(this.#memory, ...args)
  }

  crossEntropy(...args: Arguments<'crossEntropy'>): void {
    loss.crossEntropy(this.#memory, ...args)
  }

  topRows(...args: Arguments<'topRows'>): void {
    topRows(this.#memory, ...args)
  }

  squaredNorm(...args: Arguments<'squaredNorm'>): void {
    optimizer.squaredNorm(this.#memory, ...args)
  }

  clipFactor(...args: Arguments<'clipFactor'>): void {
    optimizer.clipFactor(this.#memory, ...args)
  }

  adamw(...args: Arguments<'adamw'>): void {
    optimizer.adamw(this.#memory, ...args)
  }

  lion(...args: Arguments<'lion'>): void {
    optimizer.lion(this.#memory, ...args)
  }

  adafactor(...args: Arguments<'adafactor'>): void {
    optimizer.adafactor(this.#memory, ...args)
  }
}

function attempt(fn: () => void): Promise<void> {
  return new Promise((resolve) => {
    fn()
    resolve()
  })
}

export interface ReferenceOptions {
  /**
   * Keeps f32 elements as float64 inside, and lets a Float64Array stand for f32 elements in `write` and `read`: for
   * comparing gradients with finite differences.
   */
  readonly exact?: boolean
}

/** A backend in plain TypeScript: slow, exact, and available everywhere. Storage rounds to the dtype. */
export const referenceBackend = (options: ReferenceOptions = {}): Backend =>
  new ReferenceBackend(options.exact ?? false)
