// The page as static files in ui/: index.html, one script and one style sheet with hashed names.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const ui = here('ui')

/**
 * Of marked its lexer alone, which is all that the page takes: the instance that the module makes for its own `parse` keeps the parser and
 * renderers alive in every bundle (3 kB compressed).
 */
const lexerAlone = {
  name: 'lexer-alone',
  setup({ onLoad }) {
    onLoad({ filter: /marked\.esm\.js$/ }, ({ path }) => {
      const whole = readFileSync(path, 'utf8')
      const lexer = /export\{.*?(\w+) as Lexer\b/.exec(whole)?.[1]
      const instance = whole.search(/var (\w+)=new \w+;function \w+\(\w+,\w+\)\{return \1\.parse\(/)
      if (lexer === undefined || instance < 0)
        return {
          errors: [{ text: `${path}: expected the lexer and the instance of marked, as in version 18.` }],
        }
      return { contents: `${whole.slice(0, instance)}export{${lexer} as Lexer};`, loader: 'js' }
    })
  },
}

rmSync(ui, { recursive: true, force: true })
const { metafile } = await build({
  entryPoints: [here('src/main.tsx')],
  outdir: ui,
  entryNames: 'app-[hash]',
  bundle: true,
  format: 'esm',
  target: ['chrome120', 'firefox121', 'safari17'],
  minify: true,
  legalComments: 'none',
  // Chinese as it is, not as escapes.
  charset: 'utf8',
  metafile: true,
  jsx: 'automatic',
  jsxImportSource: 'preact',
  logLevel: 'warning',
  plugins: [lexerAlone],
})
const [script, style] = ['.js', '.css'].map((end) =>
  basename(Object.keys(metafile.outputs).find((file) => file.endsWith(end))),
)
// Brackets of the icon's SVG are written as in an address: the policy of the page allows images of the page itself and of `data:`.
const icon = encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#1a1b19"/>' +
    '<path d="M3.5 3.5c0 5 3.5 8 9 8.5" fill="none" stroke="#fff" stroke-width="1.8" stroke-linecap="round"/></svg>',
)
writeFileSync(
  here('ui/index.html'),
  `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover" />
    <meta name="color-scheme" content="light dark" />
    <title>ift</title>
    <link rel="icon" href="data:image/svg+xml,${icon}" />
    <link rel="stylesheet" href="./${style}" />
    <script type="module" src="./${script}"></script>
  </head>
  <body>
    <div id="page"></div>
    <noscript>This page needs JavaScript. The server answers without it at /v1.</noscript>
  </body>
</html>
`,
)
