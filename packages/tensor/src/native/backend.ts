// Over 400 lines: one class implements the whole of Backend, one short method for each kernel.
import type {
  Accumulate,
  Adafactor,
  AdamW,
  Attention,
  Backend,
  Buf,
  Communicator,
  CrossEntropy,
  DeviceInfo,
  Gemm,
  Lion,
  Gradient,
  LowRank,
  LowRankGradients,
  MemoryInfo,
  PagedAttention,
  BlockKernels,
  QuantizedMatrix,
  QuantizedProduct,
  Recording,
  Rope,
  TopRows,
  Unary,
} from '../backend.js'
import type { DType, FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import {
  blockSizes,
  isBlockFormat,
  type BlockFormat,
  type QuantFormat,
  type WeightFormat,
} from '../quantization.js'
import type { NativeAddon } from './addon.js'
import { errorOf, raise, valueOf } from './failure.js'

/** Codes under which dtypes and activations cross to the add-on. */
const dtypes: Readonly<Record<DType, number>> = { f32: 0, bf16: 1, f16: 2, i32: 3, u8: 4 }
const formats: Readonly<Record<QuantFormat, number>> = { nf4: 0, int8: 1 }
const formatCode = (format: WeightFormat): number =>
  isBlockFormat(format) ? 256 + blockSizes[format].type : formats[format]
const activations: Readonly<Record<Unary, number>> = {
  geluTanh: 0,
  geluErf: 1,
  silu: 2,
  relu: 3,
  tanh: 4,
  sigmoid: 5,
}

const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/** Puts the sizes of a low-rank layer at `at`. */
function setShape(numbers: Float64Array, at: number, p: LowRank): void {
  numbers[at] = p.n
  numbers[at + 1] = p.k
  numbers[at + 2] = p.m
  numbers[at + 3] = p.r
  numbers[at + 4] = p.scale
  numbers[at + 5] = dtypes[p.dtype]
}

/** Puts a gradient, or that none is wanted, at `at`. */
function setGradient(numbers: Float64Array, at: number, to: Gradient | null): void {
  numbers[at] = to === null ? 0 : to.buf
  numbers[at + 1] = to === null ? 0 : to.beta
  numbers[at + 2] = to === null ? 0 : dtypes[to.dtype]
}

/** Of a matrix: the buffer of its numbers, or of its codes in int8. */
const bufferOf = (w: Buf | QuantizedMatrix): Buf => (typeof w === 'number' ? w : int8Of(w).codes)

/** The buffer of the scales in int8; 0, which is no buffer, of plain numbers. */
const scalesOf = (w: Buf | QuantizedMatrix): number => (typeof w === 'number' ? 0 : (int8Of(w).scales ?? 0))

function int8Of(w: QuantizedMatrix): QuantizedMatrix {
  if (w.format === 'int8') return w
  throw new IftError('IFT_ARGUMENT', `a product over the matrix itself expected int8, found ${w.format}`)
}

/** Closes devices that are unreachable and were not closed. */
const forgotten = new FinalizationRegistry<() => void>((close) => {
  close()
})

/**
 * A `Backend` over a native add-on: kernels run in the order of their calls behind a queue of the add-on, so a call only
 * enqueues and the thread of JavaScript stays free. Lengths are checked by the add-on before a kernel is queued.
 */
export abstract class NativeBackend<A extends NativeAddon = NativeAddon> implements Backend {
  abstract readonly name: string
  abstract readonly device: DeviceInfo
  abstract readonly comm: Communicator | null
  protected readonly native: A
  protected readonly number: number
  /** Where the arguments of products are put together, the kernels that a step calls most. */
  readonly #product = new Float64Array(14)
  readonly #lowRank = new Float64Array(17)
  readonly #lowRankGradients = new Float64Array(26)

  /** `number` is the device's number in the add-on; the device is closed when this object becomes unreachable. */
  protected constructor(native: A, number: number) {
    this.native = native
    this.number = number
    forgotten.register(this, () => {
      native.close(number)
    })
  }

  alloc(bytes: number): Buf {
    return valueOf(this.native.alloc(this.number, bytes)) as Buf
  }

  view(base: Buf, byteOffset: number, bytes: number): Buf {
    return valueOf(this.native.view(this.number, base, byteOffset, bytes)) as Buf
  }

  mapFile(path: string, offset: number, bytes: number): Buf {
    return valueOf(this.native.mapFile(this.number, path, offset, bytes)) as Buf
  }

  free(buf: Buf): void {
    raise(this.native.free(this.number, buf))
  }

  write(dst: Buf, src: ArrayBufferView, byteOffset = 0): void {
    raise(this.native.write(this.number, dst, bytesOf(src), byteOffset))
  }

  async read(src: Buf, dst: ArrayBufferView, byteOffset = 0): Promise<void> {
    const result = await this.native.read(this.number, src, byteOffset, dst.byteLength)
    if (!(result instanceof Uint8Array)) throw errorOf(result)
    bytesOf(dst).set(result)
  }

  async synchronize(): Promise<void> {
    raise(await this.native.synchronize(this.number))
  }

  record(work: () => void): Recording {
    const { native, number } = this
    raise(native.beginRecording(number))
    let failed: { readonly error: unknown } | null = null
    try {
      work()
    } catch (error) {
      failed = { error }
    }
    const recorded = valueOf(native.endRecording(number))
    const release = () => {
      raise(native.forgetRecording(number, recorded))
    }
    if (failed !== null) {
      release()
      throw failed.error
    }
    return {
      replay: () => {
        raise(native.replay(number, recorded))
      },
      release,
    }
  }

  memory(): MemoryInfo {
    return valueOf(this.native.memory(this.number))
  }

  resetPeak(): void {
    raise(this.native.resetPeak(this.number))
  }

  close(): void {
    this.native.close(this.number)
  }

  gemm(y: Buf, a: Buf, b: Buf | QuantizedMatrix, bias: Buf | null, p: Gemm): void {
    const numbers = this.#product
    numbers[0] = y
    numbers[1] = a
    numbers[2] = bufferOf(b)
    numbers[3] = bias ?? 0
    numbers[4] = p.m
    numbers[5] = p.n
    numbers[6] = p.k
    numbers[7] = p.transA ? 1 : 0
    numbers[8] = p.transB ? 1 : 0
    numbers[9] = p.alpha
    numbers[10] = p.beta
    numbers[11] = dtypes[p.dtype]
    numbers[12] = dtypes[p.outDtype]
    numbers[13] = scalesOf(b)
    raise(this.native.gemm(this.number, numbers))
  }

  lowRank(
    y: Buf,
    low: Buf,
    x: Buf,
    z: Buf,
    w: Buf | QuantizedMatrix,
    a: Buf,
    b: Buf,
    bias: Buf | null,
    p: LowRank & { beta: Accumulate; outDtype: FloatDType },
  ): void {
    const numbers = this.#lowRank
    numbers[0] = y
    numbers[1] = low
    numbers[2] = x
    numbers[3] = z
    numbers[4] = bufferOf(w)
    numbers[5] = a
    numbers[6] = b
    numbers[7] = bias ?? 0
    setShape(numbers, 8, p)
    numbers[14] = p.beta
    numbers[15] = dtypes[p.outDtype]
    numbers[16] = scalesOf(w)
    raise(this.native.lowRank(this.number, numbers))
  }

  lowRankBackward(
    gradients: LowRankGradients,
    dy: Buf,
    z: Buf | null,
    low: Buf,
    w: Buf | QuantizedMatrix | null,
    a: Buf,
    b: Buf,
    p: LowRank,
  ): void {
    const numbers = this.#lowRankGradients
    setGradient(numbers, 0, gradients.x)
    setGradient(numbers, 3, gradients.z)
    setGradient(numbers, 6, gradients.a)
    setGradient(numbers, 9, gradients.b)
    numbers[12] = gradients.joined ? 1 : 0
    numbers[13] = dy
    numbers[14] = z ?? 0
    numbers[15] = low
    numbers[16] = w === null ? 0 : bufferOf(w)
    numbers[17] = a
    numbers[18] = b
    setShape(numbers, 19, p)
    numbers[25] = w === null ? 0 : scalesOf(w)
    raise(this.native.lowRankBackward(this.number, numbers))
  }

  sumRows(y: Buf, x: Buf, rows: number, cols: number, dtype: FloatDType, beta: Accumulate): void {
    raise(this.native.sumRows(this.number, y, x, rows, cols, dtypes[dtype], beta === 1))
  }

  quantize(w: QuantizedMatrix, x: Buf, dtype: FloatDType): void {
    const { codes, scales, groups, format, rows, cols } = w
    raise(
      this.native.quantize(
        this.number,
        codes,
        scales,
        groups,
        formatCode(format),
        rows,
        cols,
        x,
        dtypes[dtype],
      ),
    )
  }

  dequantize(y: Buf, w: QuantizedMatrix, dtype: FloatDType): void {
    const { codes, scales, groups, format, rows, cols } = w
    raise(
      this.native.dequantize(
        this.number,
        y,
        codes,
        scales,
        groups,
        formatCode(format),
        rows,
        cols,
        dtypes[dtype],
      ),
    )
  }

  /** For a device whose add-on has the kernels. */
  protected blockKernels(): BlockKernels {
    const gatherRows: BlockKernels['gatherRows'] = (y, { codes, format, rows, cols }, ids, count, dtype) => {
      const code = formatCode(format)
      raise(this.native.quantizedRows!(this.number, y, codes, ids, code, count, rows, cols, dtypes[dtype]))
    }
    return { formats: Object.keys(blockSizes) as BlockFormat[], gatherRows }
  }

  quantizedProduct(y: Buf, x: Buf, w: QuantizedMatrix, bias: Buf | null, p: QuantizedProduct): void {
    const { codes, scales, groups, format, rows, cols } = w
    raise(
      this.native.quantizedProduct(
        this.number,
        y,
        x,
        codes,
        scales,
        groups,
        bias,
        formatCode(format),
        p.m,
        rows,
        cols,
        p.beta === 1,
        dtypes[p.dtype],
        dtypes[p.outDtype],
      ),
    )
  }

  rmsNorm(
    y: Buf,
    rstd: Buf,
    x: Buf,
    w: Buf,
    rows: number,
    cols: number,
    eps: number,
    dtype: FloatDType,
  ): void {
    raise(this.native.rmsNorm(this.number, y, rstd, x, w, rows, cols, eps, dtypes[dtype]))
  }

  rmsNormBackward(
    dx: Buf,
    dw: Buf | null,
    dy: Buf,
    x: Buf,
    w: Buf,
    rstd: Buf,
    rows: number,
    cols: number,
    dtype: FloatDType,
    beta: Accumulate,
  ): void {
    raise(
      this.native.rmsNormBackward(this.number, dx, dw, dy, x, w, rstd, rows, cols, dtypes[dtype], beta === 1),
    )
  }

  layerNorm(
    y: Buf,
    mean: Buf,
    rstd: Buf,
    x: Buf,
    w: Buf,
    b: Buf,
    rows: number,
    cols: number,
    eps: number,
    dtype: FloatDType,
  ): void {
    raise(this.native.layerNorm(this.number, y, mean, rstd, x, w, b, rows, cols, eps, dtypes[dtype]))
  }

  layerNormBackward(
    dx: Buf,
    dw: Buf | null,
    db: Buf | null,
    dy: Buf,
    x: Buf,
    w: Buf,
    mean: Buf,
    rstd: Buf,
    rows: number,
    cols: number,
    dtype: FloatDType,
    beta: Accumulate,
  ): void {
    raise(
      this.native.layerNormBackward(
        this.number,
        dx,
        dw,
        db,
        dy,
        x,
        w,
        mean,
        rstd,
        rows,
        cols,
        dtypes[dtype],
        beta === 1,
      ),
    )
  }

  rope(y: Buf, x: Buf, positions: Buf, invFreq: Buf, p: Rope): void {
    raise(
      this.native.rope(
        this.number,
        y,
        x,
        positions,
        invFreq,
        p.rows,
        p.heads,
        p.headDim,
        p.dimOffset,
        p.dims,
        p.interleaved,
        p.inverse,
        p.scale,
        dtypes[p.dtype],
      ),
    )
  }

  attention(out: Buf, lse: Buf, q: Buf, k: Buf, v: Buf, p: Attention): void {
    raise(
      this.native.attention(
        this.number,
        out,
        lse,
        q,
        k,
        v,
        p.cuQ,
        p.cuK,
        p.rowsQ,
        p.rowsK,
        p.segments,
        p.heads,
        p.kvHeads,
        p.headDim,
        p.scale,
        dtypes[p.dtype],
        p.causal,
        p.visiblePrefix,
        p.alibiSlopes,
      ),
    )
  }

  attentionBackward(
    dq: Buf,
    dk: Buf,
    dv: Buf,
    dout: Buf,
    out: Buf,
    lse: Buf,
    q: Buf,
    k: Buf,
    v: Buf,
    p: Attention,
  ): void {
    const { cuQ, cuK, rowsQ, rowsK } = p
    raise(
      this.native.attentionBackward(
        this.number,
        dq,
        dk,
        dv,
        dout,
        out,
        lse,
        q,
        k,
        v,
        cuQ,
        cuK,
        rowsQ,
        rowsK,
        p.segments,
        p.heads,
        p.kvHeads,
        p.headDim,
        p.scale,
        dtypes[p.dtype],
        p.causal,
        p.visiblePrefix,
        p.alibiSlopes,
      ),
    )
  }

  attentionPaged(out: Buf, q: Buf, kPages: Buf, vPages: Buf, p: PagedAttention): void {
    raise(
      this.native.attentionPaged(
        this.number,
        out,
        q,
        kPages,
        vPages,
        p.cuQ,
        p.rowsQ,
        p.kvLengths,
        p.pageTable,
        p.maxPages,
        p.pageSize,
        p.pages,
        p.segments,
        p.heads,
        p.kvHeads,
        p.headDim,
        p.scale,
        dtypes[p.dtype],
        p.causal,
        p.visiblePrefix,
        p.alibiSlopes,
      ),
    )
  }

  swiglu(y: Buf, gate: Buf, up: Buf, n: number, dtype: FloatDType): void {
    raise(this.native.swiglu(this.number, y, gate, up, n, dtypes[dtype]))
  }

  swigluBackward(dgate: Buf, dup: Buf, dy: Buf, gate: Buf, up: Buf, n: number, dtype: FloatDType): void {
    raise(this.native.swigluBackward(this.number, dgate, dup, dy, gate, up, n, dtypes[dtype]))
  }

  unary(kind: Unary, y: Buf, x: Buf, n: number, dtype: FloatDType): void {
    raise(this.native.unary(this.number, activations[kind], y, x, n, dtypes[dtype]))
  }

  unaryBackward(kind: Unary, dx: Buf, dy: Buf, x: Buf, n: number, dtype: FloatDType): void {
    raise(this.native.unaryBackward(this.number, activations[kind], dx, dy, x, n, dtypes[dtype]))
  }

  fill(y: Buf, value: number, n: number, dtype: DType): void {
    raise(this.native.fill(this.number, y, value, n, dtypes[dtype]))
  }

  axpby(y: Buf, a: number, x: Buf, b: number, z: Buf, n: number, dtype: FloatDType): void {
    raise(this.native.axpby(this.number, y, a, x, b, z, n, dtypes[dtype]))
  }

  mul(y: Buf, a: Buf, b: Buf, n: number, dtype: FloatDType): void {
    raise(this.native.mul(this.number, y, a, b, n, dtypes[dtype]))
  }

  scaleColumns(y: Buf, x: Buf, s: Buf, rows: number, cols: number, dtype: FloatDType): void {
    raise(this.native.scaleColumns(this.number, y, x, s, rows, cols, dtypes[dtype]))
  }

  scaleColumnsBackward(ds: Buf, dy: Buf, x: Buf, rows: number, cols: number, dtype: FloatDType): void {
    raise(this.native.scaleColumnsBackward(this.number, ds, dy, x, rows, cols, dtypes[dtype]))
  }

  rowNorms(y: Buf, x: Buf, rows: number, cols: number, dtype: FloatDType): void {
    raise(this.native.rowNorms(this.number, y, x, rows, cols, dtypes[dtype]))
  }

  cast(y: Buf, x: Buf, n: number, to: FloatDType, from: FloatDType): void {
    raise(this.native.cast(this.number, y, x, n, dtypes[to], dtypes[from]))
  }

  dropout(y: Buf, x: Buf, n: number, p: number, seed: number, stream: number, dtype: FloatDType): void {
    raise(this.native.dropout(this.number, y, x, n, p, seed, stream, dtypes[dtype]))
  }

  random(
    y: Buf,
    n: number,
    kind: 'normal' | 'uniform',
    seed: number,
    stream: number,
    dtype: FloatDType,
  ): void {
    raise(this.native.random(this.number, y, n, kind === 'normal', seed, stream, dtypes[dtype]))
  }

  copy2d(
    y: Buf,
    yOffset: number,
    yStride: number,
    x: Buf,
    xOffset: number,
    xStride: number,
    rows: number,
    cols: number,
    dtype: FloatDType,
    beta: Accumulate,
  ): void {
    raise(
      this.native.copy2d(
        this.number,
        y,
        yOffset,
        yStride,
        x,
        xOffset,
        xStride,
        rows,
        cols,
        dtypes[dtype],
        beta === 1,
      ),
    )
  }

  gatherRows(
    y: Buf,
    table: Buf,
    ids: Buf,
    rows: number,
    cols: number,
    tableRows: number,
    dtype: FloatDType,
  ): void {
    raise(this.native.gatherRows(this.number, y, table, ids, rows, cols, tableRows, dtypes[dtype]))
  }

  scatterRows(
    table: Buf,
    x: Buf,
    ids: Buf,
    rows: number,
    cols: number,
    tableRows: number,
    dtype: FloatDType,
    tableDtype: FloatDType,
    beta: Accumulate,
  ): void {
    const [from, to] = [dtypes[dtype], dtypes[tableDtype]]
    raise(this.native.scatterRows(this.number, table, x, ids, rows, cols, tableRows, from, to, beta === 1))
  }

  crossEntropy(loss: Buf, grad: Buf | null, logits: Buf, labels: Buf, p: CrossEntropy): void {
    const { rows, vocab, gradScale } = p
    const [dtype, gradDtype] = [dtypes[p.dtype], dtypes[p.gradDtype]]
    raise(
      this.native.crossEntropy(
        this.number,
        loss,
        grad,
        logits,
        labels,
        rows,
        vocab,
        gradScale,
        dtype,
        gradDtype,
      ),
    )
  }

  topRows(values: Buf, indices: Buf, logSum: Buf | null, x: Buf, p: TopRows): void {
    const { rows, cols, k, scale } = p
    const dtype = dtypes[p.dtype]
    raise(this.native.topRows(this.number, values, indices, logSum, x, rows, cols, k, scale, dtype))
  }

  squaredNorm(y: Buf, x: Buf, n: number, dtype: FloatDType, beta: Accumulate): void {
    raise(this.native.squaredNorm(this.number, y, x, n, dtypes[dtype], beta === 1))
  }

  clipFactor(y: Buf, squaredNorm: Buf, maxNorm: number): void {
    raise(this.native.clipFactor(this.number, y, squaredNorm, maxNorm))
  }

  adamw(param: Buf, master: Buf | null, grad: Buf, m: Buf, v: Buf, gradScale: Buf | null, p: AdamW): void {
    const { n, lr, beta1, beta2, eps, weightDecay, step } = p
    const dtype = dtypes[p.dtype]
    raise(
      this.native.adamw(
        this.number,
        param,
        master,
        grad,
        m,
        v,
        gradScale,
        n,
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        step,
        dtype,
      ),
    )
  }

  lion(param: Buf, master: Buf | null, grad: Buf, m: Buf, gradScale: Buf | null, p: Lion): void {
    const { n, lr, beta1, beta2, weightDecay } = p
    const dtype = dtypes[p.dtype]
    const { native, number } = this
    raise(native.lion(number, param, master, grad, m, gradScale, n, lr, beta1, beta2, weightDecay, dtype))
  }

  adafactor(
    param: Buf,
    master: Buf | null,
    grad: Buf,
    v: Buf,
    column: Buf | null,
    m: Buf | null,
    gradScale: Buf | null,
    p: Adafactor,
  ): void {
    const { rows, cols, lr, beta1, beta2, epsilon1, epsilon2, clipThreshold, weightDecay } = p
    const dtype = dtypes[p.dtype]
    raise(
      this.native.adafactor(
        this.number,
        param,
        master,
        grad,
        v,
        column,
        m,
        gradScale,
        rows,
        cols,
        lr,
        beta1,
        beta2,
        epsilon1,
        epsilon2,
        clipThreshold,
        weightDecay,
        dtype,
      ),
    )
  }
}
