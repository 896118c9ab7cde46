import type { TemplateSources } from '../../../contract/template.js'
import { toGo } from './go.js'
import { toJinja } from './jinja.js'
import { withoutBos, type TemplateProgram } from './program.js'

export { turnProgram } from './turn-program.js'
export type { TemplateProgram } from './program.js'

/** Sources of a template in other languages, by its program. */
export function sourcesOf(program: TemplateProgram): TemplateSources {
  const begun = (begins: boolean) => (begins ? program : withoutBos(program))
  return {
    jinja: (begins) => toJinja(begun(begins)),
    go: (tokens, begins) => toGo(begun(begins), tokens),
  }
}
