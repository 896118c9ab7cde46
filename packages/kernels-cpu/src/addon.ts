/** What the add-on reports instead of throwing; `raise` makes an `IftError` of it. */
export interface Failure {
  code: string
  message: string
}

/** Result of a call that only enqueues. */
type Outcome = Failure | null

/** The mask and the heads of an attention call. */
export interface AttentionShape {
  segments: number
  heads: number
  kvHeads: number
  headDim: number
  scale: number
  dtype: number
  causal: boolean
  visiblePrefix: number | undefined
  alibiSlopes: number | undefined
}

/** The device of the add-on. Dtypes are codes, buffers their ids; the order of arguments is that of `Kernels`. */
export interface NativeDevice {
  readonly threads: number
  readonly isa: string
  readonly note: string | null

  alloc(bytes: number): number | Failure
  view(base: number, offset: number, bytes: number): number | Failure
  mapFile(path: string, offset: number, bytes: number): number | Failure
  free(id: number): Outcome
  write(id: number, data: Uint8Array, offset: number): Outcome
  read(id: number, offset: number, bytes: number): Promise<Uint8Array | Failure>
  synchronize(): Promise<Outcome>
  memory(): { allocated: number; peak: number; reserved: number; mapped: number; buffers: number } | Failure
  resetPeak(): Outcome
  close(): void

  gemm(
    y: number,
    a: number,
    b: number,
    bias: number | null,
    m: number,
    n: number,
    k: number,
    transA: boolean,
    transB: boolean,
    alpha: number,
    accumulate: boolean,
    dtype: number,
    outDtype: number,
  ): Outcome
  sumRows(y: number, x: number, rows: number, cols: number, dtype: number, accumulate: boolean): Outcome
  rmsNorm(
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
    out: number,
    lse: number,
    q: number,
    k: number,
    v: number,
    cuQ: number,
    cuK: number,
    rowsQ: number,
    rowsK: number,
    shape: AttentionShape,
  ): Outcome
  attentionBackward(
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
    shape: AttentionShape,
  ): Outcome
  attentionPaged(
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
    shape: AttentionShape,
  ): Outcome
  swiglu(y: number, gate: number, up: number, n: number, dtype: number): Outcome
  swigluBackward(
    dgate: number,
    dup: number,
    dy: number,
    gate: number,
    up: number,
    n: number,
    dtype: number,
  ): Outcome
  unary(kind: number, y: number, x: number, n: number, dtype: number): Outcome
  unaryBackward(kind: number, dx: number, dy: number, x: number, n: number, dtype: number): Outcome
  fill(y: number, value: number, n: number, dtype: number): Outcome
  axpby(y: number, a: number, x: number, b: number, z: number, n: number, dtype: number): Outcome
  mul(y: number, a: number, b: number, n: number, dtype: number): Outcome
  scaleColumns(y: number, x: number, s: number, rows: number, cols: number, dtype: number): Outcome
  scaleColumnsBackward(ds: number, dy: number, x: number, rows: number, cols: number, dtype: number): Outcome
  rowNorms(y: number, x: number, rows: number, cols: number, dtype: number): Outcome
  cast(y: number, x: number, n: number, to: number, from: number): Outcome
  dropout(y: number, x: number, n: number, p: number, seed: number, stream: number, dtype: number): Outcome
  random(y: number, n: number, normal: boolean, seed: number, stream: number, dtype: number): Outcome
  copy2d(
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
    y: number,
    table: number,
    ids: number,
    rows: number,
    cols: number,
    tableRows: number,
    dtype: number,
  ): Outcome
  scatterRows(
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
  squaredNorm(y: number, x: number, n: number, dtype: number, accumulate: boolean): Outcome
  clipFactor(y: number, squaredNorm: number, maxNorm: number): Outcome
  adamw(
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
}

/** Exports of the add-on. */
export interface Addon {
  Device: { open(threads: number, isa: string): NativeDevice }
  /** Instruction sets that `open` accepts on this processor, weakest first. */
  instructionSets(): string[]
}
