import type { ResolvedConfig } from '../config/schema.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { tapped } from '../plugin/hooks.js'
import type { LogitsTap } from '../generate/settings.js'
import { addAdapter } from './add-adapter.js'
import type { OpenModel } from './open-model.js'
import { TextGenerator, type GeneratorOptions } from './text-generator.js'

/** A generator over an open model, with the hooks and constraints of the session; further adapters fit the config. */
export function makeGenerator(
  session: PluginSession,
  config: ResolvedConfig,
  open: OpenModel,
  options: GeneratorOptions,
): TextGenerator {
  const { logits } = session.hooks
  const tap: LogitsTap | null = tapped(logits)
    ? (scores, context) => {
        logits.call(scores, context)
      }
    : null
  return new TextGenerator(
    open,
    tap,
    (kind) => session.constraint(kind),
    (name, spec) => addAdapter(session, config, open, name, spec),
    options,
  )
}
