export type { SelectableDataset } from './facts.js'
export { select, selectDatasets, type SelectOptions, type Selection } from './select.js'
