/**
 * A score behind 得分, in the quotes, brackets or asterisks that judges put around it: a decimal, a percentage or a fraction. The sign is
 * read, so that -1 is no 1.
 */
const written =
  /得分[\s*_"'“”‘’「」【】[\]()]*:[\s*_"'“”‘’「」【】[\]()]*(?<value>[-\u2212]?(?:\d+(?:\.\d+)?|\.\d+))(?:\s*(?<percent>%)|\s*[/\u2044]\s*(?<of>\d+(?:\.\d+)?))?/gu

/**
 * The score of a judge's reply: that behind the last 得分, between 0 and 1. `得分:0.8`, `得分：８０％` and `得分: 8/10` are 0.8. Null where there
 * is none, or where it is no number from 0 to 1, such as 85: whether that is out of 100 is not for us to guess.
 */
export function parseScore(reply: string): number | null {
  let found: Readonly<Record<string, string | undefined>> | undefined
  for (const match of reply.normalize('NFKC').matchAll(written)) found = match.groups!
  if (!found) return null
  const { value, percent, of } = found
  const score =
    Number(value!.replace('\u2212', '-')) / (percent !== undefined ? 100 : of !== undefined ? Number(of) : 1)
  return score >= 0 && score <= 1 ? score : null
}
