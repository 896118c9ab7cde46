import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where the Hugging Face cache is, by the variables that Python's huggingface_hub reads. */
export function hubCacheDir(env: Readonly<Record<string, string | undefined>>): string {
  const given = env['HF_HUB_CACHE'] ?? env['HUGGINGFACE_HUB_CACHE']
  if (given) return given
  const home = env['HF_HOME'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'huggingface')
  return join(home, 'hub')
}
