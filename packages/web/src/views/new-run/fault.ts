import { faults, plan, wrong } from './state.js'
import { text } from './text.js'

/** What is wrong with a field, in words; null when nothing is. */
export function faultOf(path: string): string | null {
  const words = text()
  const own = wrong.value.get(path)
  if (own !== undefined)
    return own.found === '' ? words.missing : words.found(own.found, words.expected(own.expected))
  const fault = faults.value.find((each) => each.path === path || each.path.startsWith(`${path}.`))
  if (fault !== undefined) return fault.message
  const problem = plan.value?.reply.problem
  return problem?.param === path ? problem.message : null
}
