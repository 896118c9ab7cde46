import type { DType, FloatDType } from './dtype.js'
import type { QuantFormat } from './quantization.js'

declare const brand: unique symbol

/** Opaque id of a device buffer. The backend checks id and length at every call: a wrong call is an IftError. */
export type Buf = number & { readonly [brand]: 'Buf' }

/** `0` overwrites the output, `1` adds to it. */
export type Accumulate = 0 | 1

/**
 * y [m, n] = alpha · op(a) · op(b) + beta · y (+ bias [n] on every row), row-major.
 * a is [m, k] ([k, m] when transA); b is [k, n] ([n, k] when transB, the layout of a linear layer's weight).
 * Accumulation is in f32. `dtype` is that of a, b and bias; `outDtype` that of y.
 */
export interface Gemm {
  m: number
  n: number
  k: number
  transA: boolean
  transB: boolean
  alpha: number
  beta: Accumulate
  dtype: FloatDType
  outDtype: FloatDType
}

/**
 * A linear layer with a low-rank addition (LoRA, Hu et al. 2021, arXiv:2106.09685): x and z [n, k], w [m, k], a [r, k],
 * b [m, r]. z is what the addition reads: x, or x with dropout. `dtype` is that of all but y and the gradients.
 */
export interface LowRank {
  n: number
  k: number
  m: number
  r: number
  /** Factor of the addition. */
  scale: number
  dtype: FloatDType
}

/** Where a gradient goes: over what is there, or added to it. */
export interface Gradient {
  buf: Buf
  beta: Accumulate
  dtype: FloatDType
}

/** The gradients of a low-rank layer that are wanted: of x and z [n, k], a [r, k] and b [m, r]. */
export interface LowRankGradients {
  x: Gradient | null
  z: Gradient | null
  a: Gradient | null
  b: Gradient | null
  /** z is x: the gradient of x is that of both. */
  joined: boolean
}

/**
 * A weight w [rows, cols] (the layout of a linear layer, [out, in]) in few bits, in buffers of the sizes that
 * `quantizedSizes` gives. The arithmetic below is in f32, each operation rounded by itself: products and sums are not fused.
 * Every backend gives the same codes, scales and values.
 *
 * nf4, as bitsandbytes lays it out: the elements, row after row, fall into blocks of 64, the last one perhaps shorter.
 * Element 2i is the upper half of byte i of `codes`, element 2i + 1 the lower; a last half without an element is 0.
 * a[b] is the largest magnitude of block b; element x has the code of the level (`nf4Levels`) nearest to x / a[b], or to 0
 * where a[b] is 0. The a are held in 8 bits: groups[0] is their mean (added up in f64, then rounded), groups[1 + g] the
 * largest magnitude of a[b] - groups[0] in the g-th 256 blocks, and scales[b] the code of the level (`dynamicLevels`)
 * nearest to (a[b] - groups[0]) / groups[1 + g], or to 0 where that is 0. "Nearest" is counted in `midpointsOf`.
 * The value of a code is nf4Levels[code] · (dynamicLevels[scales[b]] · groups[1 + g] + groups[0]).
 *
 * int8: scales[r] is the largest magnitude of row r; codes are two's complement, x · (127 / scales[r]) rounded to nearest, ties
 * to even, or 0 where scales[r] is 0. The value of a code is code · scales[r] · f32(1 / 127), from left to right.
 */
export interface QuantizedMatrix {
  format: QuantFormat
  rows: number
  cols: number
  /** u8: two codes a byte in nf4, one in int8. */
  codes: Buf
  /** nf4: u8, one a block. int8: f32, one a row. */
  scales: Buf
  /** nf4: f32. int8: null. */
  groups: Buf | null
}

/** y [m, w.rows] = x [m, w.cols] · wᵀ + beta · y (+ bias [w.rows] on every row), 1 <= m <= 16. Accumulation is in f32. */
export interface QuantizedProduct {
  m: number
  beta: Accumulate
  /** Of x and bias. */
  dtype: FloatDType
  /** Of y. */
  outDtype: FloatDType
}

/** Which keys a query sees, shared by the packed and the paged form. */
export interface AttentionMask {
  /** Query i of a sequence sees its keys j <= i + (kLen - qLen): the queries are the last of the keys. */
  causal: boolean
  /** i32 [segments]: keys before it are visible to every query of the sequence (GLM's prefix LM). */
  visiblePrefix?: Buf | undefined
  /** f32 [heads]: adds slope · (j - (i + kLen - qLen)) to the score (Press et al. 2022, arXiv:2108.12409). */
  alibiSlopes?: Buf | undefined
}

/**
 * q, out [Nq, heads, headDim]; k, v [Nk, kvHeads, headDim]; lse f32 [Nq, heads].
 * Sequence s owns rows cuQ[s] .. cuQ[s+1] of q and cuK[s] .. cuK[s+1] of k and v. heads is a multiple of kvHeads.
 */
export interface Attention extends AttentionMask {
  segments: number
  /** i32 [segments + 1], ascending from 0 to Nq. */
  cuQ: Buf
  /** i32 [segments + 1], ascending from 0 to Nk. */
  cuK: Buf
  /** Longest sequence in q and in k. */
  maxQ: number
  maxK: number
  /** Rows in q and in k, the last entries of cuQ and cuK. */
  rowsQ: number
  rowsK: number
  heads: number
  kvHeads: number
  headDim: number
  scale: number
  dtype: FloatDType
}

/**
 * Decoding: keys and values lie in pages [pages, pageSize, kvHeads, headDim] of a shared pool; page p of sequence s
 * is pageTable[s, p]. Row cuQ[s] + i of q is the query at position kvLengths[s] - qLen + i.
 */
export interface PagedAttention extends AttentionMask {
  segments: number
  /** i32 [segments + 1]. */
  cuQ: Buf
  maxQ: number
  rowsQ: number
  /** i32 [segments]: keys of each sequence, those of the new queries included. */
  kvLengths: Buf
  maxK: number
  /** i32 [segments, maxPages]. */
  pageTable: Buf
  maxPages: number
  pageSize: number
  /** Pages in the pool. */
  pages: number
  heads: number
  kvHeads: number
  headDim: number
  scale: number
  dtype: FloatDType
}

/**
 * Rotary embedding of x [rows, heads, headDim] at dimensions dimOffset .. dimOffset + dims; the others are copied.
 * Pairs are (i, i + dims/2), or (2i, 2i+1) when interleaved (Su et al. 2021, arXiv:2104.09864). `inverse` rotates
 * back, which is the gradient. cos and sin are multiplied by `scale` (the attention factor of YaRN; 1 otherwise).
 */
export interface Rope {
  rows: number
  heads: number
  headDim: number
  dimOffset: number
  dims: number
  interleaved: boolean
  inverse: boolean
  scale: number
  dtype: FloatDType
}

/** Rows of a vocabulary-wide softmax. */
export interface CrossEntropy {
  rows: number
  vocab: number
  /** Factor of the gradient, usually 1 / trained tokens of the optimiser step. */
  gradScale: number
  dtype: FloatDType
  gradDtype: FloatDType
}

/** The highest k that `topRows` takes: what a block of a GPU sorts in its shared memory. */
export const mostTop = 1024

/** The highest entries of rows. */
export interface TopRows {
  rows: number
  cols: number
  /** Entries of each row that are wanted, 1 to min(cols, mostTop). */
  k: number
  /** Factor of the entries in the sum of exponentials: 1 / temperature. */
  scale: number
  dtype: FloatDType
}

/** Decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101); `step` counts from 1. */
export interface AdamW {
  n: number
  lr: number
  beta1: number
  beta2: number
  eps: number
  weightDecay: number
  step: number
  /** dtype of `param`; gradient, moments and master are f32. */
  dtype: FloatDType
}

export type Unary = 'geluTanh' | 'geluErf' | 'silu' | 'relu' | 'tanh' | 'sigmoid'

/**
 * The kernels of a device. Destination first; kernels never allocate what a caller can see; a call only enqueues.
 * Outputs must not overlap inputs unless the text of a kernel allows it. Results are deterministic: the same call on the
 * same data gives the same bits, whatever the number of threads.
 */
export interface Kernels {
  // products
  gemm(y: Buf, a: Buf, b: Buf, bias: Buf | null, p: Gemm): void
  /**
   * low [n, r] = z aᵀ, and y [n, m] = x wᵀ + scale · low bᵀ + beta · y (+ bias [m] on every row) in outDtype. One call for
   * what is most of the calls of a step.
   */
  lowRank(
    y: Buf,
    low: Buf,
    x: Buf,
    z: Buf,
    w: Buf,
    a: Buf,
    b: Buf,
    bias: Buf | null,
    p: LowRank & { beta: Accumulate; outDtype: FloatDType },
  ): void
  /**
   * With e [n, r] = scale · dy b, rounded to dtype: dx (+)= dy w (+ e a when joined), dz (+)= e a, da (+)= eᵀ z and
   * db (+)= scale · dyᵀ low. dy [n, m] and low are in dtype; w is read for dx alone and z for da alone: null where that is not
   * wanted.
   */
  lowRankBackward(
    gradients: LowRankGradients,
    dy: Buf,
    z: Buf | null,
    low: Buf,
    w: Buf | null,
    a: Buf,
    b: Buf,
    p: LowRank,
  ): void
  /** y f32 [cols] (+)= sum over rows of x [rows, cols]: the gradient of a bias. */
  sumRows(y: Buf, x: Buf, rows: number, cols: number, dtype: FloatDType, beta: Accumulate): void

  // quantised weights
  /** Writes the parts of `w` from x [w.rows, w.cols], whose elements are finite. */
  quantize(w: QuantizedMatrix, x: Buf, dtype: FloatDType): void
  /** y [w.rows, w.cols] = the values of `w`, rounded to dtype. */
  dequantize(y: Buf, w: QuantizedMatrix, dtype: FloatDType): void
  /**
   * The product of a decoding step, which reads no more of a weight than its bits. Its weights are the values of `w`, or
   * those of levels rounded to dtype. For more than 16 rows `dequantize` and `gemm` are faster, and this is refused.
   */
  quantizedProduct(y: Buf, x: Buf, w: QuantizedMatrix, bias: Buf | null, p: QuantizedProduct): void

  // normalisation over cols; rstd and mean f32 [rows]; dw, db f32 [cols], always added to
  rmsNorm(y: Buf, rstd: Buf, x: Buf, w: Buf, rows: number, cols: number, eps: number, dtype: FloatDType): void
  /** dx (+)=, dw +=; dw may be null. */
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
  ): void
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
  ): void
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
  ): void

  // attention
  /** positions i32 [rows]; invFreq f32 [dims / 2]. y may be x. */
  rope(y: Buf, x: Buf, positions: Buf, invFreq: Buf, p: Rope): void
  attention(out: Buf, lse: Buf, q: Buf, k: Buf, v: Buf, p: Attention): void
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
  ): void
  attentionPaged(out: Buf, q: Buf, kPages: Buf, vPages: Buf, p: PagedAttention): void

  // activations; y may be an input
  /** y [n] = silu(gate) · up. */
  swiglu(y: Buf, gate: Buf, up: Buf, n: number, dtype: FloatDType): void
  /** dgate may be gate and dup may be up. */
  swigluBackward(dgate: Buf, dup: Buf, dy: Buf, gate: Buf, up: Buf, n: number, dtype: FloatDType): void
  unary(kind: Unary, y: Buf, x: Buf, n: number, dtype: FloatDType): void
  unaryBackward(kind: Unary, dx: Buf, dy: Buf, x: Buf, n: number, dtype: FloatDType): void

  // element-wise and data movement
  /** y [n] = value; any dtype. */
  fill(y: Buf, value: number, n: number, dtype: DType): void
  /** y [n] = a·x + b·z; y may be x or z. */
  axpby(y: Buf, a: number, x: Buf, b: number, z: Buf, n: number, dtype: FloatDType): void
  /** y [n] = a·b; y may be a or b. */
  mul(y: Buf, a: Buf, b: Buf, n: number, dtype: FloatDType): void
  /** y [rows, cols] = x · s [cols] on every row; s f32. y may be x. */
  scaleColumns(y: Buf, x: Buf, s: Buf, rows: number, cols: number, dtype: FloatDType): void
  /** ds f32 [cols] += sum over rows of dy · x. */
  scaleColumnsBackward(ds: Buf, dy: Buf, x: Buf, rows: number, cols: number, dtype: FloatDType): void
  /** y f32 [rows] = Euclidean norm of each row of x [rows, cols]. */
  rowNorms(y: Buf, x: Buf, rows: number, cols: number, dtype: FloatDType): void
  cast(y: Buf, x: Buf, n: number, to: FloatDType, from: FloatDType): void
  /**
   * y [n] = x / (1 - p) where kept, else 0; the mask is Philox4x32-10 (Salmon et al. 2011) of (seed, stream, element
   * index): element i uses word i mod 4 of the block with counter (i div 4, 0, stream, 0) and key (seed low, seed high),
   * and is kept when word >= floor(p · 2^32). The same call on dy is the gradient. seed is a non-negative integer
   * below 2^53, stream a u32. y may be x.
   */
  dropout(y: Buf, x: Buf, n: number, p: number, seed: number, stream: number, dtype: FloatDType): void
  /**
   * y [n] from Philox as in `dropout`. uniform: word / 2^32 in [0, 1). normal: Box-Muller on word pairs (0,1) and
   * (2,3): r = sqrt(-2 ln((w0 + 1) / 2^32)), angle 2π w1 / 2^32; cos for the even element, sin for the odd one.
   */
  random(y: Buf, n: number, kind: 'normal' | 'uniform', seed: number, stream: number, dtype: FloatDType): void
  /** Rows of cols elements between strided places: y[yOffset + r·yStride + c] (+)= x[xOffset + r·xStride + c]. */
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
  ): void

  // rows by index; ids i32 [rows], 0 <= id < tableRows (checked when the kernel runs; the error surfaces at the next read)
  /** y [rows, cols] = table[ids]. */
  gatherRows(
    y: Buf,
    table: Buf,
    ids: Buf,
    rows: number,
    cols: number,
    tableRows: number,
    dtype: FloatDType,
  ): void
  /** table [tableRows, cols] (+)= x at rows ids. With beta 0 ids must not repeat; with 1 repeats are summed in row order. */
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
  ): void

  // loss
  /**
   * loss f32 [rows] = -log softmax(logits [rows, vocab])[label]; grad [rows, vocab] = gradScale · (softmax - onehot), or
   * nothing when null. labels i32 [rows]; a negative label gives loss 0 and gradient 0. grad may be logits when the
   * dtypes are equal.
   */
  crossEntropy(loss: Buf, grad: Buf | null, logits: Buf, labels: Buf, p: CrossEntropy): void

  // decoding
  /**
   * The k highest entries of each row of x [rows, cols], highest first and of equal ones the first: values f32 [rows, k] and their
   * columns i32 [rows, k]. NaN counts as below everything. logSum f32 [rows] = log Σ exp(scale · x) over the whole row, or
   * nothing when null.
   */
  topRows(values: Buf, indices: Buf, logSum: Buf | null, x: Buf, p: TopRows): void

  // optimiser
  /** y f32 [1] (+)= sum of squares of x [n]. */
  squaredNorm(y: Buf, x: Buf, n: number, dtype: FloatDType, beta: Accumulate): void
  /** y f32 [1] = min(1, maxNorm / (sqrt(squaredNorm) + 1e-6)), PyTorch's clip_grad_norm_ factor. */
  clipFactor(y: Buf, squaredNorm: Buf, maxNorm: number): void
  /**
   * One AdamW step. master f32 [n] is updated and rounded into param; when null (param f32) param is its own master.
   * gradScale f32 [1], or null for 1, multiplies the gradient.
   */
  adamw(param: Buf, master: Buf | null, grad: Buf, m: Buf, v: Buf, gradScale: Buf | null, p: AdamW): void
}

/** Bytes in buffers now, at most so far, and taken from the system. Mapped files are counted apart. */
export interface MemoryInfo {
  allocated: number
  peak: number
  reserved: number
  mapped: number
  /** Buffers alive, views and maps included. */
  buffers: number
}

/** What a backend says about the device it runs on. */
export interface DeviceInfo {
  readonly kind: 'cpu' | 'cuda' | 'reference'
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
   * Writes down what `work` enqueues, kernels and writes, instead of doing it; for devices on which a replay costs less than
   * the calls (a CUDA graph, a list of checked kernels), absent on others. `work` does not read, map files or wait: `IFT_RECORDING`. Memory that it
   * frees belongs to the recording; what it leaves behind is for the caller, who keeps it as long.
   */
  record?(work: () => void): Recording
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

/**
 * Collectives over all ranks, queued behind the kernels that produced their data. Every rank makes the same calls in the
 * same order. A rank that does not come is an error at the next read: `IFT_RANK_MISSING`, which names it.
 */
export interface Communicator {
  readonly rank: number
  readonly worldSize: number
  /** The library underneath, with version and file. */
  readonly library: string
  /** buf [n] becomes the reduction over ranks, the same bits on each; u8 has none. bf16 and f16 are summed in f32. */
  allReduce(buf: Buf, n: number, dtype: DType, op: 'sum' | 'max'): void
  /** dst [n] = the sum over ranks of src [worldSize, n], of which rank r gets row r. */
  reduceScatter(dst: Buf, src: Buf, n: number, dtype: DType): void
  /** dst [worldSize, n] = src [n] of every rank, in their order. */
  allGather(dst: Buf, src: Buf, n: number, dtype: DType): void
  /** buf [n] of every rank becomes that of `root`. */
  broadcast(buf: Buf, n: number, dtype: DType, root: number): void
  /** What is queued behind it runs when every rank has come here. */
  barrier(): void
  /** Waits for every rank and ends the communicator: the good end of a run. */
  leave(): Promise<void>
  /** Ends this process with an exit code, and through the launcher all others: the bad end. */
  abort(code: number): never
}
