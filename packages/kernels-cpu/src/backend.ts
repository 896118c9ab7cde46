// Over 400 lines: one class implements the whole of Backend, one short method for each kernel.
import { cpus } from 'node:os'

import type {
  Accumulate,
  AdamW,
  Attention,
  Backend,
  Buf,
  Communicator,
  CrossEntropy,
  DeviceInfo,
  DType,
  FloatDType,
  Gemm,
  MemoryInfo,
  PagedAttention,
  QuantFormat,
  QuantizedMatrix,
  QuantizedProduct,
  Rope,
  Unary,
} from '@ift/tensor'

import type { Addon, KernelTime, Opened } from './addon.js'
import { MpiCommunicator, type RankOptions } from './communicator.js'
import { errorOf, raise, valueOf } from './failure.js'

/** Codes under which dtypes and activations cross to the add-on. */
const dtypes: Readonly<Record<DType, number>> = { f32: 0, bf16: 1, f16: 2, i32: 3, u8: 4 }
const formats: Readonly<Record<QuantFormat, number>> = { nf4: 0, int8: 1 }
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

/** Closes what nobody closed and nobody holds. */
const forgotten = new FinalizationRegistry<() => void>((close) => {
  close()
})

/**
 * The CPU as a `Backend`: kernels run in order on a thread of the add-on and its pool, so a call only enqueues and the
 * thread of JavaScript stays free. Lengths are checked by the add-on before a kernel is queued.
 */
export class CpuBackend implements Backend {
  readonly name = 'cpu'
  readonly device: DeviceInfo
  #comm: Communicator | null = null
  readonly #native: Addon
  readonly #device: number

  constructor(native: Addon, opened: Opened) {
    const { device, isa, threads, note } = opened
    this.#native = native
    this.#device = device
    forgotten.register(this, () => {
      native.close(device)
    })
    const processor = cpus()[0]?.model.trim() ?? process.arch
    this.device = {
      kind: 'cpu',
      index: 0,
      description: `${processor}, ${isa}, ${threads} threads${note === undefined ? '' : ` (${note})`}`,
      // Products of bf16 are as exact as those of f32 (both add up in f32) and, where the processor has them, faster.
      preferredDtype: isa === 'avx512bf16' || isa === 'amx' ? 'bf16' : 'f32',
      threads,
    }
  }

  get comm(): Communicator | null {
    return this.#comm
  }

  /** Joins the ranks of an MPI launcher; waits for all of them. */
  async join(options: RankOptions): Promise<void> {
    this.#comm = await MpiCommunicator.join(this.#native, this.#device, options)
  }

  alloc(bytes: number): Buf {
    return valueOf(this.#native.alloc(this.#device, bytes)) as Buf
  }

  view(base: Buf, byteOffset: number, bytes: number): Buf {
    return valueOf(this.#native.view(this.#device, base, byteOffset, bytes)) as Buf
  }

  mapFile(path: string, offset: number, bytes: number): Buf {
    return valueOf(this.#native.mapFile(this.#device, path, offset, bytes)) as Buf
  }

  free(buf: Buf): void {
    raise(this.#native.free(this.#device, buf))
  }

  write(dst: Buf, src: ArrayBufferView, byteOffset = 0): void {
    raise(this.#native.write(this.#device, dst, bytesOf(src), byteOffset))
  }

  async read(src: Buf, dst: ArrayBufferView, byteOffset = 0): Promise<void> {
    const result = await this.#native.read(this.#device, src, byteOffset, dst.byteLength)
    if (!(result instanceof Uint8Array)) throw errorOf(result)
    bytesOf(dst).set(result)
  }

  async synchronize(): Promise<void> {
    raise(await this.#native.synchronize(this.#device))
  }

  memory(): MemoryInfo {
    return valueOf(this.#native.memory(this.#device))
  }

  resetPeak(): void {
    raise(this.#native.resetPeak(this.#device))
  }

  /** Counts the time of each kernel that runs from now on, at the price of a microsecond a kernel. */
  startProfile(): void {
    raise(this.#native.startProfile(this.#device))
  }

  /** What was counted; `synchronize` first, or kernels that still wait are not in it. */
  stopProfile(): KernelTime[] {
    return valueOf(this.#native.stopProfile(this.#device))
  }

  close(): void {
    this.#native.close(this.#device)
  }

  gemm(y: Buf, a: Buf, b: Buf, bias: Buf | null, p: Gemm): void {
    const { m, n, k, transA, transB, alpha, beta, plus } = p
    const [dtype, outDtype] = [dtypes[p.dtype], dtypes[p.outDtype]]
    raise(
      this.#native.gemm(
        this.#device,
        y,
        a,
        b,
        bias,
        m,
        n,
        k,
        transA,
        transB,
        alpha,
        beta === 1,
        dtype,
        outDtype,
        plus?.a,
        plus?.b,
        plus?.k,
        plus?.alpha,
      ),
    )
  }

  sumRows(y: Buf, x: Buf, rows: number, cols: number, dtype: FloatDType, beta: Accumulate): void {
    raise(this.#native.sumRows(this.#device, y, x, rows, cols, dtypes[dtype], beta === 1))
  }

  quantize(w: QuantizedMatrix, x: Buf, dtype: FloatDType): void {
    const { codes, scales, groups, format, rows, cols } = w
    raise(
      this.#native.quantize(
        this.#device,
        codes,
        scales,
        groups,
        formats[format],
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
      this.#native.dequantize(
        this.#device,
        y,
        codes,
        scales,
        groups,
        formats[format],
        rows,
        cols,
        dtypes[dtype],
      ),
    )
  }

  quantizedProduct(y: Buf, x: Buf, w: QuantizedMatrix, bias: Buf | null, p: QuantizedProduct): void {
    const { codes, scales, groups, format, rows, cols } = w
    raise(
      this.#native.quantizedProduct(
        this.#device,
        y,
        x,
        codes,
        scales,
        groups,
        bias,
        formats[format],
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
    raise(this.#native.rmsNorm(this.#device, y, rstd, x, w, rows, cols, eps, dtypes[dtype]))
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
      this.#native.rmsNormBackward(
        this.#device,
        dx,
        dw,
        dy,
        x,
        w,
        rstd,
        rows,
        cols,
        dtypes[dtype],
        beta === 1,
      ),
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
    raise(this.#native.layerNorm(this.#device, y, mean, rstd, x, w, b, rows, cols, eps, dtypes[dtype]))
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
      this.#native.layerNormBackward(
        this.#device,
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
      this.#native.rope(
        this.#device,
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
      this.#native.attention(
        this.#device,
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
      this.#native.attentionBackward(
        this.#device,
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
      this.#native.attentionPaged(
        this.#device,
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
    raise(this.#native.swiglu(this.#device, y, gate, up, n, dtypes[dtype]))
  }

  swigluBackward(dgate: Buf, dup: Buf, dy: Buf, gate: Buf, up: Buf, n: number, dtype: FloatDType): void {
    raise(this.#native.swigluBackward(this.#device, dgate, dup, dy, gate, up, n, dtypes[dtype]))
  }

  unary(kind: Unary, y: Buf, x: Buf, n: number, dtype: FloatDType): void {
    raise(this.#native.unary(this.#device, activations[kind], y, x, n, dtypes[dtype]))
  }

  unaryBackward(kind: Unary, dx: Buf, dy: Buf, x: Buf, n: number, dtype: FloatDType): void {
    raise(this.#native.unaryBackward(this.#device, activations[kind], dx, dy, x, n, dtypes[dtype]))
  }

  fill(y: Buf, value: number, n: number, dtype: DType): void {
    raise(this.#native.fill(this.#device, y, value, n, dtypes[dtype]))
  }

  axpby(y: Buf, a: number, x: Buf, b: number, z: Buf, n: number, dtype: FloatDType): void {
    raise(this.#native.axpby(this.#device, y, a, x, b, z, n, dtypes[dtype]))
  }

  mul(y: Buf, a: Buf, b: Buf, n: number, dtype: FloatDType): void {
    raise(this.#native.mul(this.#device, y, a, b, n, dtypes[dtype]))
  }

  scaleColumns(y: Buf, x: Buf, s: Buf, rows: number, cols: number, dtype: FloatDType): void {
    raise(this.#native.scaleColumns(this.#device, y, x, s, rows, cols, dtypes[dtype]))
  }

  scaleColumnsBackward(ds: Buf, dy: Buf, x: Buf, rows: number, cols: number, dtype: FloatDType): void {
    raise(this.#native.scaleColumnsBackward(this.#device, ds, dy, x, rows, cols, dtypes[dtype]))
  }

  rowNorms(y: Buf, x: Buf, rows: number, cols: number, dtype: FloatDType): void {
    raise(this.#native.rowNorms(this.#device, y, x, rows, cols, dtypes[dtype]))
  }

  cast(y: Buf, x: Buf, n: number, to: FloatDType, from: FloatDType): void {
    raise(this.#native.cast(this.#device, y, x, n, dtypes[to], dtypes[from]))
  }

  dropout(y: Buf, x: Buf, n: number, p: number, seed: number, stream: number, dtype: FloatDType): void {
    raise(this.#native.dropout(this.#device, y, x, n, p, seed, stream, dtypes[dtype]))
  }

  random(
    y: Buf,
    n: number,
    kind: 'normal' | 'uniform',
    seed: number,
    stream: number,
    dtype: FloatDType,
  ): void {
    raise(this.#native.random(this.#device, y, n, kind === 'normal', seed, stream, dtypes[dtype]))
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
      this.#native.copy2d(
        this.#device,
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
    raise(this.#native.gatherRows(this.#device, y, table, ids, rows, cols, tableRows, dtypes[dtype]))
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
    raise(this.#native.scatterRows(this.#device, table, x, ids, rows, cols, tableRows, from, to, beta === 1))
  }

  crossEntropy(loss: Buf, grad: Buf | null, logits: Buf, labels: Buf, p: CrossEntropy): void {
    const { rows, vocab, gradScale } = p
    const [dtype, gradDtype] = [dtypes[p.dtype], dtypes[p.gradDtype]]
    raise(
      this.#native.crossEntropy(
        this.#device,
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

  squaredNorm(y: Buf, x: Buf, n: number, dtype: FloatDType, beta: Accumulate): void {
    raise(this.#native.squaredNorm(this.#device, y, x, n, dtypes[dtype], beta === 1))
  }

  clipFactor(y: Buf, squaredNorm: Buf, maxNorm: number): void {
    raise(this.#native.clipFactor(this.#device, y, squaredNorm, maxNorm))
  }

  adamw(param: Buf, master: Buf | null, grad: Buf, m: Buf, v: Buf, gradScale: Buf | null, p: AdamW): void {
    const { n, lr, beta1, beta2, eps, weightDecay, step } = p
    const dtype = dtypes[p.dtype]
    raise(
      this.#native.adamw(
        this.#device,
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
}
