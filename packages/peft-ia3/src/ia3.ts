import type { PeftContext, PeftMethod } from '@ift/core'
import { modulesOf } from '@ift/core/model'
import {
  fanInFanOut,
  fullMatcher,
  moduleMethod,
  moduleSetting,
  settingError,
  targetFields,
} from '@ift/core/peft'
import { Ia3Linear } from './ia3-linear.js'
import { ia3Options, type Ia3Options } from './options.js'

/**
 * (IA)³ (Liu et al. 2022, arXiv:2205.05638): factors of keys, values and of what goes into the last layer of the feed-forward network;
 * adapters in the format of Hugging Face PEFT, both ways.
 */
export const ia3: PeftMethod<Ia3Options> = moduleMethod<Ia3Options, Ia3Linear>({
  name: 'ia3',
  peftType: 'IA3',
  targetRoles: ['key', 'value', 'feedForwardOut'],
  options: ia3Options,
  fields: {
    target_modules: targetFields.target_modules,
    exclude_modules: targetFields.exclude_modules,
    feedforward_modules: 'feedforwardModules',
    modules_to_save: 'modulesToSave',
  },
  ignoredFields: ['init_ia3_weights'],
  check,
  layer: (base, { path, options, context }) => new Ia3Linear(base, isFeedforward(options, context)(path)),
  writeConfig: ({ options, context, layers, targetModules }) => ({
    fan_in_fan_out: fanInFanOut(context, layers),
    feedforward_modules: writtenFeedforward(options, context, layers, targetModules),
    init_ia3_weights: true,
  }),
})

const defaultFeedforward = ({ roles }: PeftContext) => modulesOf(roles, 'feedForwardOut')

/** Whether a layer scales what goes into it: as in PEFT by a plain end of its name, or by a pattern of the whole. */
function isFeedforward({ feedforwardModules }: Ia3Options, context: PeftContext): (path: string) => boolean {
  const names = feedforwardModules ?? defaultFeedforward(context)
  return typeof names === 'string' ? fullMatcher(names) : (path) => names.some((name) => path.endsWith(name))
}

/** PEFT does not load a list with names that are not in the list of targets; a pattern of the layers' paths it takes always. */
function writtenFeedforward(
  { feedforwardModules }: Ia3Options,
  context: PeftContext,
  layers: ReadonlyMap<string, Ia3Linear>,
  targetModules: string | readonly string[] | undefined,
): string | readonly string[] {
  const paths = [...layers].filter(([, { feedforward }]) => feedforward).map(([path]) => path)
  if (!paths.length) return []
  const names = feedforwardModules ?? defaultFeedforward(context)
  if (typeof names === 'string' || typeof targetModules === 'string') return names
  if (names.every((name) => targetModules?.includes(name))) return names
  return paths.map((path) => path.replaceAll('.', String.raw`\.`)).join('|')
}

function check(options: Ia3Options, context: PeftContext): void {
  const { feedforwardModules, targetModules } = options
  const feedforward = {
    option: 'feedforwardModules',
    field: 'feedforward_modules',
    value: feedforwardModules,
  }
  if (typeof feedforwardModules === 'string')
    try {
      fullMatcher(feedforwardModules)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      throw settingError(
        context,
        feedforward,
        'IFT_PEFT_OPTIONS',
        (setting) =>
          `${setting}: "${feedforwardModules}" is not a regular expression that can be used: ${error.message}`,
        "Write it as Python's re reads it, or give a list of names, such as ['down_proj'].",
      )
    }
  if (!Array.isArray(feedforwardModules) || !Array.isArray(targetModules)) return
  const other = feedforwardModules.find((name) => !targetModules.includes(name))
  if (other !== undefined)
    throw settingError(
      context,
      [feedforward, moduleSetting(options, 'targetModules')],
      'IFT_PEFT_OPTIONS',
      (setting, targets) =>
        `${setting} names "${other}", which is not in ${targets} (${targetModules.join(', ')}).`,
      'Name it in both, or leave it out of feedforwardModules.',
    )
}
