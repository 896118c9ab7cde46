import { peftTrial, type PeftBase } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { bases, type MatrixMethod, type MatrixModel } from './subjects.js'

/** How a cell came out: merged into the weights, used beside them, refused, or a fault; and why. */
export type Cell =
  { readonly outcome: 'merged' } | { readonly outcome: 'beside' | 'refused' | 'fails'; readonly why: string }

export type Cells = Readonly<Partial<Record<PeftBase, Cell>>>

export async function runCell(
  { method, options }: MatrixMethod,
  { subject }: MatrixModel,
  base: PeftBase,
): Promise<Cell> {
  try {
    const trial = await peftTrial(method, subject, { base, options, open: () => openCpu({ threads: 1 }) })
    if (trial.refused !== null) return { outcome: 'refused', why: trial.refused }
    return trial.unmerged === null ? { outcome: 'merged' } : { outcome: 'beside', why: trial.unmerged }
  } catch (error) {
    return { outcome: 'fails', why: error instanceof Error ? error.message : String(error) }
  }
}

/** A method on a model, over all bases. */
export async function runCells(method: MatrixMethod, model: MatrixModel): Promise<Cells> {
  const cells: Partial<Record<PeftBase, Cell>> = {}
  for (const base of bases) cells[base] = await runCell(method, model, base)
  return cells
}

/** What failed, as lines. */
export const faultsOf = (cells: Cells): string[] =>
  Object.entries(cells).flatMap(([base, cell]) => (cell.outcome === 'fails' ? [`${base}: ${cell.why}`] : []))
