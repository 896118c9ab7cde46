import type { DType, FloatDType } from '../dtype.js'
import type { Attention, PagedAttention, Rope } from './attention.js'
import type { Accumulate, Buf } from './buffer.js'
import type { CrossEntropy, TopRows } from './logits.js'
import type { Adafactor, AdamW, Lion } from './optimizer.js'
import type { Gemm, LowRank, LowRankGradients } from './products.js'
import type { QuantizedMatrix, QuantizedProduct } from './quantized.js'

export type Unary = 'geluTanh' | 'geluErf' | 'silu' | 'relu' | 'tanh' | 'sigmoid'

/**
 * The kernels of a device. Destination first. Kernels allocate no buffers for the caller. A call only enqueues.
 * Outputs must not overlap inputs unless the text of a kernel allows it, and then begin where the input does; a
 * native backend refuses other operands with `IFT_ARGUMENT`. Results are deterministic: the same call on the same
 * data gives the same bits with any number of threads.
 */
export interface Kernels {
  // products
  /** b may be an int8 matrix where `Backend.int8Products` says so, with transA false. */
  gemm(y: Buf, a: Buf, b: Buf | QuantizedMatrix, bias: Buf | null, p: Gemm): void
  /**
   * low [n, r] = z aᵀ, and y [n, m] = x wᵀ + scale · low bᵀ + beta · y (+ bias [m] on every row) in outDtype. One call for
   * what is most of the calls of a step. w may be an int8 matrix where `Backend.int8Products` says so, here and in the gradients.
   */
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
    w: Buf | QuantizedMatrix | null,
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
   * those of levels rounded to dtype. More than `Backend.quantizedRows` rows are refused, for which `dequantize` and `gemm` serve.
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
  /** y [rows, cols] = table[ids], every element bit for bit: a table of i32 passes for one of f32. */
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

  // optimiser; gradScale f32 [1], or null for 1, multiplies the gradient, and where it is NaN nothing is changed
  /** y f32 [1] (+)= sum of squares of x [n]. */
  squaredNorm(y: Buf, x: Buf, n: number, dtype: FloatDType, beta: Accumulate): void
  /**
   * y f32 [1] = min(1, maxNorm / (sqrt(squaredNorm) + 1e-6)), PyTorch's clip_grad_norm_ factor; NaN where squaredNorm is not
   * finite. maxNorm may be infinite.
   */
  clipFactor(y: Buf, squaredNorm: Buf, maxNorm: number): void
  /** One AdamW step. master f32 [n] is updated and rounded into param; when null (param f32) param is its own master. */
  adamw(param: Buf, master: Buf | null, grad: Buf, m: Buf, v: Buf, gradScale: Buf | null, p: AdamW): void
  /** One Lion step; m f32 [n], param and master as in `adamw`. */
  lion(param: Buf, master: Buf | null, grad: Buf, m: Buf, gradScale: Buf | null, p: Lion): void
  /**
   * One Adafactor step of param [rows, cols]. v f32 [rows] and column f32 [cols] are the mean squares of its rows and columns;
   * without column, v f32 [rows, cols] has every element's. m f32 [rows, cols] is the first moment, or null for none; with it
   * too, a step of rate 0 moves nothing.
   */
  adafactor(
    param: Buf,
    master: Buf | null,
    grad: Buf,
    v: Buf,
    column: Buf | null,
    m: Buf | null,
    gradScale: Buf | null,
    p: Adafactor,
  ): void
}
