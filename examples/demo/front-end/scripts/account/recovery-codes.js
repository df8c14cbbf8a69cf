/** Recovery codes, which are shown once. */

import { pageError } from '../auth.js'
import { byId, el } from '../dom.js'
import { onClick } from '../forms.js'

let codes = []

export function showCodes(newCodes) {
  codes = newCodes
  byId('codes-list').replaceChildren(
    ...codes.map((code) => el('li', {}, el('code', { className: 'shown-once' }, code))),
  )
  byId('codes-copy').hidden = !navigator.clipboard
  byId('codes').hidden = false
  byId('codes-title').focus()
}

export function forgetCodes() {
  codes = []
  byId('codes-list').replaceChildren()
  byId('codes').hidden = true
}

async function copy() {
  await navigator.clipboard.writeText(codes.join('\n')).catch(() => {
    throw pageError('NOT_COPIED')
  })
  return 'Copied.'
}

async function download() {
  const href = URL.createObjectURL(new Blob([`${codes.join('\n')}\n`], { type: 'text/plain' }))
  el('a', { href, download: 'recovery-codes.txt' }).click()
  URL.revokeObjectURL(href)
}

export const recoveryCodes = {
  mount() {
    onClick('codes-copy', copy)
    onClick('codes-download', download)
    onClick('codes-done', async () => {
      forgetCodes()
      byId('factor-title').focus()
    })
  },
  forget: forgetCodes,
}
