import type { Fault } from '../../app/faults.js'
import { faults, plan, wrong } from './state.js'
import { text } from './text.js'

/** What is wrong with a field: in the words of the page, or a fault of the server's; null when nothing is. */
export function fieldFault(path: string): string | Fault | null {
  const words = text()
  const own = wrong.value.get(path)
  if (own !== undefined)
    return own.found === '' ? words.missing : words.found(own.found, words.expected(own.expected))
  const fault = faults.value.find((each) => each.path === path || each.path.startsWith(`${path}.`))
  if (fault !== undefined) return { code: 'option', message: fault.message }
  const problem = plan.value?.reply.problem
  return problem?.param === path ? problem : null
}
