/** Steps between evaluations, checkpoints and samples of a run: a tenth of it unless the config says otherwise; 0 is never. */
export const stepsBetween = (totalSteps: number, asked: number | undefined): number =>
  asked ?? Math.max(1, Math.round(totalSteps / 10))
