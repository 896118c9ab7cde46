import { gelu, relu, sigmoid, silu, tanh } from './activations.js'
import { add } from './add.js'
import { attention } from './attention.js'
import { attentionPaged } from './attention-paged.js'
import { cast } from './cast.js'
import { concatRows } from './concat-rows.js'
import { custom } from './custom.js'
import { dropout } from './dropout.js'
import { gatherColumns } from './gather-columns.js'
import { gatherIndices } from './gather-indices.js'
import { embedding, gatherRepeatedRows, gatherRows } from './gather-rows.js'
import { layerNorm } from './layer-norm.js'
import { linear } from './linear.js'
import { linearCrossEntropy } from './linear-cross-entropy.js'
import { logProbs, topLogProbs } from './log-probs.js'
import { lowRankLinear } from './low-rank-linear.js'
import { matmul } from './matmul.js'
import { mul } from './mul.js'
import { replaceColumns } from './replace-columns.js'
import { rmsNorm } from './rms-norm.js'
import { rope } from './rope.js'
import { rowNorms } from './row-norms.js'
import { scale } from './scale.js'
import { scaleColumns } from './scale-columns.js'
import { scatterRows } from './scatter-rows.js'
import { sub } from './sub.js'
import { swiglu } from './swiglu.js'
import { topRows } from './top-rows.js'

/** Every operation on tensors: differentiable unless its text says "not recorded". */
export const ops = {
  add,
  attention,
  attentionPaged,
  cast,
  concatRows,
  custom,
  dropout,
  embedding,
  gatherColumns,
  gatherIndices,
  gatherRepeatedRows,
  gatherRows,
  gelu,
  layerNorm,
  linear,
  linearCrossEntropy,
  logProbs,
  lowRankLinear,
  matmul,
  mul,
  relu,
  replaceColumns,
  rmsNorm,
  rope,
  rowNorms,
  scale,
  scaleColumns,
  scatterRows,
  sigmoid,
  silu,
  sub,
  swiglu,
  tanh,
  topLogProbs,
  topRows,
} as const

export type { AttentionOptions, PackedAttentionOptions } from './attention.js'
export type { PagedAttentionOptions } from './attention-paged.js'
export { columnRuns, type ColumnRun } from './column-runs.js'
export type { CustomOp } from './custom.js'
export type { Head } from './head.js'
export type { LinearOptions } from './linear.js'
export type { LinearCrossEntropyOptions } from './linear-cross-entropy.js'
export type { MatmulOptions } from './matmul.js'
export type { Weight } from './weight.js'
export type { RopeOptions } from './rope.js'
export type { TopEntries } from './top-rows.js'
