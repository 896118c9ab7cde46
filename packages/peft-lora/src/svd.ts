/** Columns of x [rows, cols] made orthonormal by modified Gram-Schmidt, twice for accuracy. Row-major, in place. */
export function orthonormalize(x: Float64Array, rows: number, cols: number): Float64Array {
  for (let pass = 0; pass < 2; pass++)
    for (let c = 0; c < cols; c++) {
      for (let p = 0; p < c; p++) {
        let dot = 0
        for (let i = 0; i < rows; i++) dot += x[i * cols + p]! * x[i * cols + c]!
        for (let i = 0; i < rows; i++) x[i * cols + c]! -= dot * x[i * cols + p]!
      }
      let norm = 0
      for (let i = 0; i < rows; i++) norm += x[i * cols + c]! ** 2
      norm = Math.sqrt(norm)
      for (let i = 0; i < rows; i++) x[i * cols + c] = norm > 1e-300 ? x[i * cols + c]! / norm : 0
    }
  return x
}

/**
 * Singular values of x [rows, cols], cols small, in descending order, with the right singular vectors as the columns of
 * a [cols, cols] matrix: cyclic Jacobi on xᵀx.
 */
export function singularValues(
  x: Float64Array,
  rows: number,
  cols: number,
): { readonly values: Float64Array; readonly vectors: Float64Array } {
  const gram = new Float64Array(cols * cols)
  for (let i = 0; i < rows; i++)
    for (let p = 0; p < cols; p++) {
      const value = x[i * cols + p]!
      for (let q = 0; q < cols; q++) gram[p * cols + q]! += value * x[i * cols + q]!
    }
  const basis = new Float64Array(cols * cols)
  for (let i = 0; i < cols; i++) basis[i * cols + i] = 1
  for (let sweep = 0; sweep < 60; sweep++) if (jacobiSweep(gram, basis, cols)) break
  const order = Array.from({ length: cols }, (_, i) => i).sort(
    (a, b) => gram[b * cols + b]! - gram[a * cols + a]!,
  )
  const values = Float64Array.from(order, (i) => Math.sqrt(Math.max(0, gram[i * cols + i]!)))
  const vectors = new Float64Array(cols * cols)
  for (const [to, from] of order.entries())
    for (let i = 0; i < cols; i++) vectors[i * cols + to] = basis[i * cols + from]!
  return { values, vectors }
}

/** Rotates every off-diagonal element away once; true when there was nothing left to rotate. */
function jacobiSweep(a: Float64Array, basis: Float64Array, n: number): boolean {
  let rotated = false
  for (let p = 0; p < n - 1; p++)
    for (let q = p + 1; q < n; q++) {
      const apq = a[p * n + q]!
      if (Math.abs(apq) <= 1e-15 * Math.sqrt(Math.abs(a[p * n + p]! * a[q * n + q]!))) continue
      rotated = true
      const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq)
      const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.hypot(theta, 1))
      const c = 1 / Math.hypot(t, 1)
      const s = t * c
      for (let i = 0; i < n; i++) {
        const [x, y] = [a[i * n + p]!, a[i * n + q]!]
        a[i * n + p] = c * x - s * y
        a[i * n + q] = s * x + c * y
      }
      for (let i = 0; i < n; i++) {
        const [x, y] = [a[p * n + i]!, a[q * n + i]!]
        a[p * n + i] = c * x - s * y
        a[q * n + i] = s * x + c * y
        const [u, v] = [basis[i * n + p]!, basis[i * n + q]!]
        basis[i * n + p] = c * u - s * v
        basis[i * n + q] = s * u + c * v
      }
    }
  return !rotated
}
