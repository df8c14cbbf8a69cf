/** Shows the requests of this browser and their responses, which the server has recorded. */

import { call } from './auth.js'
import { badge, byId, el } from './dom.js'
import { onClick } from './forms.js'
import { poll } from './polling.js'
import { time } from './time.js'

let newest = 0

const kindOf = (status) => (status < 300 ? '' : status < 400 ? 'neutral' : 'open')

function details({ at, milliseconds, body }) {
  const note = el('p', { className: 'hint' }, time(at), ` · ${milliseconds} ms`)
  if (body === null) return [note, el('p', { className: 'hint' }, 'The response has no JSON body.')]
  const text = JSON.stringify(body, null, 2)
  return [note, el('pre', {}, text)]
}

function item(request) {
  const { method, url, status, code } = request
  const summary = el(
    'summary',
    {},
    el('span', { className: 'method' }, method),
    el('code', { className: 'url' }, url),
    el(
      'span',
      { className: 'outcome' },
      ...(code ? [el('code', {}, code), ' '] : []),
      badge(String(status), kindOf(status)),
    ),
  )
  return el('li', {}, el('details', {}, summary, ...details(request)))
}

/** Adds new ones only, so that those that are open stay open. */
function show(requests) {
  byId('requests').prepend(...requests.filter(({ id }) => id > newest).map(item))
  newest = requests[0]?.id ?? newest
  while (byId('requests').children.length > requests.length) byId('requests').lastChild.remove()
  byId('empty').hidden = requests.length > 0
  byId('requests').hidden = byId('clear').hidden = requests.length === 0
}

onClick('clear', async () => {
  show(await call('DELETE', '/requests/log'))
  byId('requests-title').focus()
  return 'Cleared.'
})

poll(async () => show(await call('GET', '/requests/log')))
