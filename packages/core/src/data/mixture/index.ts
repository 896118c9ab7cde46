export type { Portion } from './amounts.js'
export { mixSamples, whyEmpty, type Mixture, type MixturePart } from './mixture.js'
export type { SampleView } from './sample-view.js'
export { isMixture, mixtureTable, type MixtureRow } from './table.js'
