import type { Recipe } from '../contract/model.js'
import type { ResolvedConfig } from './schema.js'
import { writtenOf } from './validate.js'

/** A config with the values of a family's recipe, and the fields that came from it as 'train.learningRate: 0.00002'. */
export interface RecipeConfig {
  readonly config: ResolvedConfig
  readonly taken: readonly string[]
}

type Fields = Readonly<Record<string, unknown>>

const section = (written: unknown, name: string): Fields => {
  const value = (written as Fields | null | undefined)?.[name]
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

/**
 * Fills in what the user left open. An adapter that training goes on from has its own options, which stay; a number of
 * tokens in a step stands for its number of sequences.
 */
export function withRecipe(config: ResolvedConfig, recipe: Recipe | undefined): RecipeConfig {
  if (!recipe) return { config, taken: [] }
  const written = writtenOf(config)
  const taken: string[] = []
  const [ownTrain, ownPeft] = [section(written, 'train'), section(written, 'peft')]
  const train: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(recipe.train ?? {})) {
    const isSet =
      ownTrain[key] !== undefined || (key === 'batchSize' && ownTrain['tokensPerStep'] !== undefined)
    if (isSet) continue
    train[key] = value
    taken.push(`train.${key}: ${String(value)}`)
  }
  const options = recipe.peft?.[config.peft.method] ?? {}
  const isFree =
    config.adapter === undefined && Object.keys(options).every((key) => ownPeft[key] === undefined)
  const peft = isFree ? options : {}
  for (const [key, value] of Object.entries(peft)) taken.push(`peft.${key}: ${String(value)}`)
  return {
    config: Object.freeze({
      ...config,
      train: { ...config.train, ...train },
      peft: { ...config.peft, ...peft },
    }),
    taken,
  }
}
