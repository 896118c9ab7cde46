import { IftError } from '@ift/core'

const openAi = 'https://api.openai.com'

const originOf = (url: string | undefined) => (url && URL.canParse(url) ? new URL(url).origin : null)

/**
 * The key for an endpoint from the environment: `IFT_JUDGE_KEY`, or `OPENAI_API_KEY` where the endpoint is OpenAI's, or that of
 * `OPENAI_BASE_URL`; it goes to nobody else. Null without one. Throws IFT_USAGE for what is no key.
 */
export function keyFor(
  url: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | null {
  const origin = originOf(url)
  const isOpenAis = origin === openAi || (origin !== null && origin === originOf(env['OPENAI_BASE_URL']))
  const name = env['IFT_JUDGE_KEY'] || !isOpenAis ? 'IFT_JUDGE_KEY' : 'OPENAI_API_KEY'
  const key = env[name]?.trim() ?? ''
  if (/[^\x21-\x7e]/.test(key))
    throw new IftError(
      'IFT_USAGE',
      `${name} holds blanks or signs that no key has.`,
      `Set it again: export ${name}=…`,
    )
  return key === '' ? null : key
}
