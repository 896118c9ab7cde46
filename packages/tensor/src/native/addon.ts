// Over 400 lines: the signature of every function that an add-on exports, one after the other.

/** An error as an add-on reports it; `raise` makes an `IftError` of it. */
export interface Failure {
  code: string
  message: string
  /** Hint of the add-on, where it is more specific than that of the code. */
  hint?: string
}

/** Result of a call that only enqueues. */
export type Outcome = Failure | null

/**
 * Exports of the native add-ons of all backends. Dtypes are codes, buffers their ids, devices their numbers; the
 * order of arguments is that of `Backend`.
 */
export interface NativeAddon {
  alloc(device: number, bytes: number): number | Failure
  view(device: number, base: number, offset: number, bytes: number): number | Failure
  mapFile(device: number, path: string, offset: number, bytes: number): number | Failure
  free(device: number, id: number): Outcome
  write(device: number, id: number, data: Uint8Array, offset: number): Outcome
  read(device: number, id: number, offset: number, bytes: number): Promise<Uint8Array | Failure>
  synchronize(device: number): Promise<Outcome>
  memory(
    device: number,
  ): { allocated: number; peak: number; reserved: number; mapped: number; buffers: number } | Failure
  resetPeak(device: number): Outcome
  close(device: number): void

  /** Kernels and writes from here on are written down instead of done. */
  beginRecording(device: number): Outcome
  /** The recording's number. */
  endRecording(device: number): number | Failure
  replay(device: number, recording: number): Outcome
  forgetRecording(device: number, recording: number): Outcome

  /**
   * y, a, b, bias, m, n, k, transA, transB, alpha, accumulate, dtype, outDtype; a bias of 0 is none. Read before the call returns, as
   * all arrays of numbers are.
   */
  gemm(device: number, product: Float64Array): Outcome
  /** y, low, x, z, w, a, b, bias, n, k, m, r, scale, dtype, accumulate, outDtype; a bias of 0 is none. */
  lowRank(device: number, product: Float64Array): Outcome
  /**
   * dx, dz, da and db with whether to add and the dtype behind each, joined, dy, z, low, w, a, b, n, k, m, r, scale, dtype; a
   * gradient, a z or a w of 0 is none.
   */
  lowRankBackward(device: number, gradients: Float64Array): Outcome
  sumRows(
    device: number,
    y: number,
    x: number,
    rows: number,
    cols: number,
    dtype: number,
    accumulate: boolean,
  ): Outcome
  quantize(
    device: number,
    codes: number,
    scales: number | null,
    groups: number | null,
    format: number,
    rows: number,
    cols: number,
    x: number,
    dtype: number,
  ): Outcome
  dequantize(
    device: number,
    y: number,
    codes: number,
    scales: number | null,
    groups: number | null,
    format: number,
    rows: number,
    cols: number,
    dtype: number,
  ): Outcome
  quantizedProduct(
    device: number,
    y: number,
    x: number,
    codes: number,
    scales: number | null,
    groups: number | null,
    bias: number | null,
    format: number,
    m: number,
    rows: number,
    cols: number,
    accumulate: boolean,
    dtype: number,
    outDtype: number,
  ): Outcome
  /** Only on devices that multiply blocks. */
  quantizedRows?(
    device: number,
    y: number,
    codes: number,
    ids: number,
    format: number,
    count: number,
    rows: number,
    cols: number,
    dtype: number,
  ): Outcome
  rmsNorm(
    device: number,
    y: number,
    rstd: number,
    x: number,
    w: number,
    rows: number,
    cols: number,
    eps: number,
    dtype: number,
  ): Outcome
  rmsNormBackward(
    device: number,
    dx: number,
    dw: number | null,
    dy: number,
    x: number,
    w: number,
    rstd: number,
    rows: number,
    cols: number,
    dtype: number,
    accumulate: boolean,
  ): Outcome
  layerNorm(
    device: number,
    y: number,
    mean: number,
    rstd: number,
    x: number,
    w: number,
    b: number,
    rows: number,
    cols: number,
    eps: number,
    dtype: number,
  ): Outcome
  layerNormBackward(
    device: number,
    dx: number,
    dw: number | null,
    db: number | null,
    dy: number,
    x: number,
    w: number,
    mean: number,
    rstd: number,
    rows: number,
    cols: number,
    dtype: number,
    accumulate: boolean,
  ): Outcome
  rope(
    device: number,
    y: number,
    x: number,
    positions: number,
    invFreq: number,
    rows: number,
    heads: number,
    headDim: number,
    dimOffset: number,
    dims: number,
    interleaved: boolean,
    inverse: boolean,
    scale: number,
    dtype: number,
  ): Outcome
  attention(
    device: number,
    out: number,
    lse: number,
    q: number,
    k: number,
    v: number,
    cuQ: number,
    cuK: number,
    rowsQ: number,
    rowsK: number,
    segments: number,
    heads: number,
    kvHeads: number,
    headDim: number,
    scale: number,
    dtype: number,
    causal: boolean,
    visiblePrefix: number | undefined,
    alibiSlopes: number | undefined,
  ): Outcome
  attentionBackward(
    device: number,
    dq: number,
    dk: number,
    dv: number,
    dout: number,
    out: number,
    lse: number,
    q: number,
    k: number,
    v: number,
    cuQ: number,
    cuK: number,
    rowsQ: number,
    rowsK: number,
    segments: number,
    heads: number,
    kvHeads: number,
    headDim: number,
    scale: number,
    dtype: number,
    causal: boolean,
    visiblePrefix: number | undefined,
    alibiSlopes: number | undefined,
  ): Outcome
  attentionPaged(
    device: number,
    out: number,
    q: number,
    kPages: number,
    vPages: number,
    cuQ: number,
    rowsQ: number,
    kvLengths: number,
    pageTable: number,
    maxPages: number,
    pageSize: number,
    pages: number,
    segments: number,
    heads: number,
    kvHeads: number,
    headDim: number,
    scale: number,
    dtype: number,
    causal: boolean,
    visiblePrefix: number | undefined,
    alibiSlopes: number | undefined,
  ): Outcome
  swiglu(device: number, y: number, gate: number, up: number, n: number, dtype: number): Outcome
  swigluBackward(
    device: number,
    dgate: number,
    dup: number,
    dy: number,
    gate: number,
    up: number,
    n: number,
    dtype: number,
  ): Outcome
  unary(device: number, kind: number, y: number, x: number, n: number, dtype: number): Outcome
  unaryBackward(
    device: number,
    kind: number,
    dx: number,
    dy: number,
    x: number,
    n: number,
    dtype: number,
  ): Outcome
  fill(device: number, y: number, value: number, n: number, dtype: number): Outcome
  axpby(
    device: number,
    y: number,
    a: number,
    x: number,
    b: number,
    z: number,
    n: number,
    dtype: number,
  ): Outcome
  mul(device: number, y: number, a: number, b: number, n: number, dtype: number): Outcome
  scaleColumns(
    device: number,
    y: number,
    x: number,
    s: number,
    rows: number,
    cols: number,
    dtype: number,
  ): Outcome
  scaleColumnsBackward(
    device: number,
    ds: number,
    dy: number,
    x: number,
    rows: number,
    cols: number,
    dtype: number,
  ): Outcome
  rowNorms(device: number, y: number, x: number, rows: number, cols: number, dtype: number): Outcome
  cast(device: number, y: number, x: number, n: number, to: number, from: number): Outcome
  dropout(
    device: number,
    y: number,
    x: number,
    n: number,
    p: number,
    seed: number,
    stream: number,
    dtype: number,
  ): Outcome
  random(
    device: number,
    y: number,
    n: number,
    normal: boolean,
    seed: number,
    stream: number,
    dtype: number,
  ): Outcome
  copy2d(
    device: number,
    y: number,
    yOffset: number,
    yStride: number,
    x: number,
    xOffset: number,
    xStride: number,
    rows: number,
    cols: number,
    dtype: number,
    accumulate: boolean,
  ): Outcome
  gatherRows(
    device: number,
    y: number,
    table: number,
    ids: number,
    rows: number,
    cols: number,
    tableRows: number,
    dtype: number,
  ): Outcome
  scatterRows(
    device: number,
    table: number,
    x: number,
    ids: number,
    rows: number,
    cols: number,
    tableRows: number,
    dtype: number,
    tableDtype: number,
    accumulate: boolean,
  ): Outcome
  crossEntropy(
    device: number,
    loss: number,
    grad: number | null,
    logits: number,
    labels: number,
    rows: number,
    vocab: number,
    gradScale: number,
    dtype: number,
    gradDtype: number,
  ): Outcome
  topRows(
    device: number,
    values: number,
    indices: number,
    logSum: number | null,
    x: number,
    rows: number,
    cols: number,
    k: number,
    scale: number,
    dtype: number,
  ): Outcome
  squaredNorm(device: number, y: number, x: number, n: number, dtype: number, accumulate: boolean): Outcome
  clipFactor(device: number, y: number, squaredNorm: number, maxNorm: number): Outcome
  adamw(
    device: number,
    param: number,
    master: number | null,
    grad: number,
    m: number,
    v: number,
    gradScale: number | null,
    n: number,
    lr: number,
    beta1: number,
    beta2: number,
    eps: number,
    weightDecay: number,
    step: number,
    dtype: number,
  ): Outcome
  lion(
    device: number,
    param: number,
    master: number | null,
    grad: number,
    m: number,
    gradScale: number | null,
    n: number,
    lr: number,
    beta1: number,
    beta2: number,
    weightDecay: number,
    dtype: number,
  ): Outcome
  adafactor(
    device: number,
    param: number,
    master: number | null,
    grad: number,
    v: number,
    column: number | null,
    m: number | null,
    gradScale: number | null,
    rows: number,
    cols: number,
    lr: number,
    beta1: number,
    beta2: number,
    epsilon1: number,
    epsilon2: number | null,
    clipThreshold: number,
    weightDecay: number,
    dtype: number,
  ): Outcome
}
