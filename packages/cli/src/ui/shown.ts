// What a person is shown comes from data, models, names of files and other people's errors, and a terminal does what it is told:
// sequences set its title, its clipboard and where it writes, a carriage return overwrites a line, and characters of direction
// make a text read as another one. Everything that goes to a terminal passes through here, and shows them as characters.

/** The styles that a verb has, with what begins and ends them (ECMA-48, SGR). */
const styles = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const
export type Style = keyof typeof styles

/** C0 and C1 controls besides tab and line feed, line and paragraph separators, and the controls of direction (UAX #9). */
const controls = '[\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]'
const any = new RegExp(controls, 'g')
const besidesStyles = new RegExp(
  `\\x1b\\[(?:${[...new Set(Object.values(styles).flat())].join('|')})m|${controls}`,
  'g',
)

const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`

function picture(char: string): string {
  const code = char.charCodeAt(0)
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '\u2421' : escaped(char)
}

/** The text with a picture for every C0 control (U+2400 ff.), and `\u009b` and the like for others. */
export const visible = (text: string): string => text.replace(any, picture)

/** The same for a text that may have parts in a style: the sequences of `styles` stay, which change nothing but the look. */
export const visibleBesidesStyles = (text: string): string =>
  text.replace(besidesStyles, (found) => (found.length > 1 ? found : picture(found)))

/** JSON that a terminal can be shown; it reads as the same value. */
export const visibleJson = (json: string): string => json.replace(any, escaped)

/** A text in a style; what is in it is shown. */
export function styled(style: Style, text: string): string {
  const [begin, end] = styles[style]
  return `\x1b[${begin}m${visible(text)}\x1b[${end}m`
}
