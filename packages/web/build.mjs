// The page as static files in ui/: index.html, one script and one style sheet with hashed names.
import { rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const ui = here('ui')

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
