import { expect, test } from 'vitest'
import { htmlToMarkdown } from './index.js'

test.each([
  [
    '<div class="markdown prose"><p>Hello <strong>you</strong>!</p><p>a&lt;b &amp;amp;</p></div>',
    'Hello **you**!\n\na<b &amp;',
  ],
  ['<p>one\n   line<br>two <em> x </em></p>', 'one line\ntwo *x*'],
  [
    '<h2>T</h2><ol start="3"><li><p>a</p></li><li>b<ul><li>c</li></ul></li></ol>',
    '## T\n\n3. a\n4. b\n   - c',
  ],
  [
    '<pre><div class="bg-black"><div><span>python</span><button>Copy code</button></div><div><code class="hljs language-python">a = <span>"`"</span>\n  b &lt; 1\n</code></div></div></pre>',
    '```python\na = "`"\n  b < 1\n```',
  ],
  ['<pre>```\nx</pre>', '````\n```\nx\n````'],
  [
    'Use <code>a `b`</code>, <a href="https://x.org?a=1&amp;b">this</a>.',
    'Use ``a `b```, [this](https://x.org?a=1&b).',
  ],
  ['<blockquote><p>a</p><p>b</p></blockquote>', '> a\n> \n> b'],
  [
    '<table><thead><tr><th>k</th><th>v|w</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>',
    '| k | v\\|w |\n| --- | --- |\n| 1 | 2 |',
  ],
  ['1 < 2 and <T>x</p> y', '1 < 2 and x y'],
  [
    '<img src="data:image/png;base64,AA"><img alt="i" src="a.png"> <hr><custom>z</custom>',
    '![i](a.png)\n\n---\n\nz',
  ],
  ['', ''],
])('%s', (html, markdown) => {
  expect(htmlToMarkdown(html)).toBe(markdown)
})

test.each([
  '<',
  '<p>',
  '<p',
  '<a href="',
  '<li><pre>',
  '</p>',
  '<b>x',
  '&#x110000;&#0;',
  '<!--',
  ' \n ',
  '``` ',
])('any text, in a time that grows with it: %j', (part) => {
  expect(typeof htmlToMarkdown(part.repeat(100_000))).toBe('string')
})
