import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { sameOriginPath } from '../../src/http/redirect-path.js'

describe('sameOriginPath (open redirect)', () => {
  const kept = [
    '/',
    '/welcome',
    '/a/b?c=d&e=f#g',
    '/notes?tab=2',
    '/a//b',
    '/?to=https://evil.example',
    '/#//evil',
    '/a:b',
    '/%2F/evil',
    '/@evil',
  ]
  for (const path of kept) {
    test(`${path} is accepted unchanged`, () => assert.equal(sameOriginPath(path), path))
  }

  const respelled: Record<string, string> = {
    '/a/../b': '/b',
    '/./a': '/a',
    '/ä': '/%C3%A4',
    '/a b': '/a%20b',
    '/%2e%2e/a': '/a',
    '/a?q="x"': '/a?q=%22x%22',
  }
  for (const [given, path] of Object.entries(respelled)) {
    test(`${given} is normalized as in browsers`, () => assert.equal(sameOriginPath(given), path))
  }

  const refused = [
    '',
    ' ',
    'welcome',
    '?a',
    '#a',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/a\\..\\..\\evil',
    '/.//evil.example',
    '/..//evil.example',
    '/a/..//evil.example',
    '/%2e//evil.example',
    '/%2E%2e//evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '/\r\nSet-Cookie: a=b',
    '/a\0b',
    '/a\u007f',
    '/a\u0085b',
    '/a\u200bb',
    '/a\u202eb',
    '/\ufeff/evil.example',
    '/a\ud800',
    ' /welcome',
    '\t/welcome',
    '\u0000/welcome',
    'https://evil.example/',
    'https:/evil.example',
    'https:evil.example',
    'http://landing.invalid/a',
    'javascript:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    'mailto:a@example.com',
    '/'.padEnd(2049, 'a'),
  ]
  for (const text of refused) {
    test(`${JSON.stringify(text.slice(0, 40))} is refused`, () =>
      assert.equal(sameOriginPath(text), null))
  }

  test('a path of 2048 characters is accepted', () =>
    assert.equal(sameOriginPath('/'.padEnd(2048, 'a'))?.length, 2048))

  test('the length limit also applies after percent-encoding', () => {
    // One "€" becomes nine characters.
    const encoded = `/${'%E2%82%AC'.repeat(227)}`
    assert.equal(sameOriginPath(`/${'€'.repeat(227)}aaaa`), `${encoded}aaaa`)
    assert.equal(sameOriginPath(`/${'€'.repeat(227)}aaaaa`), null)
    assert.equal(sameOriginPath('/'.padEnd(2048, '€')), null)
  })

  test('an accepted path stays on the base origin and is accepted again (property test)', () => {
    const part = fc.constantFrom(
      '/',
      '\\',
      '.',
      '..',
      '%2e',
      '%2f',
      '%5c',
      ':',
      '@',
      '?',
      '#',
      '\t',
      '\n',
      'evil.example',
      'https:',
      'a',
      '\u2028',
      '／',
      '。',
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
        const path = sameOriginPath(`/${parts.join('')}`)
        if (path === null) return
        for (const base of [
          'https://app.example.com',
          'https://app.example.com/deep/er',
          'http://localhost:3000/x?y#z',
        ]) {
          assert.equal(new URL(path, base).origin, new URL(base).origin)
          assert.equal(new URL(path, base).href, new URL(base).origin + path)
        }
        assert.equal(sameOriginPath(path), path)
      }),
      { numRuns: 3000 },
    )
  })
})
