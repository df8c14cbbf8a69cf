/** Shows the collected emails. Text is inserted only as text. The HTML stays in its frame. */

import { call } from './auth.js'
import { byId, el, fact } from './dom.js'
import { poll } from './polling.js'
import { ago } from './time.js'

let known
let shownId = null

function show(mail) {
  shownId = mail.id
  byId('subject').textContent = mail.subject
  byId('facts').replaceChildren(
    ...fact('To', mail.to),
    ...fact('Sent', new Date(mail.sent_at).toLocaleString()),
    ...fact('Kind', el('code', {}, mail.kind)),
  )
  const frame = byId('html')
  frame.hidden = !mail.has_html
  frame.src = mail.has_html ? `/mailbox/messages/${mail.id}/html` : 'about:blank'
  byId('text').textContent = mail.text
  byId('open').href = mail.link
  for (const button of document.querySelectorAll('#mails button'))
    button.setAttribute('aria-pressed', String(button.value === String(mail.id)))
}

function item(mail) {
  const button = el(
    'button',
    { type: 'button', value: mail.id, 'aria-pressed': String(mail.id === shownId) },
    el('strong', {}, mail.subject),
    el('span', { className: 'hint' }, `${mail.to} · ${ago(mail.sent_at)}`),
  )
  button.addEventListener('click', () => {
    show(mail)
    byId('subject').focus()
  })
  return el('li', {}, button)
}

poll(async () => {
  const mails = await call('GET', '/mailbox/messages')
  const now = mails.map(({ id }) => id).join()
  if (now === known) return
  known = now
  byId('empty').hidden = mails.length > 0
  byId('messages').hidden = mails.length === 0
  byId('mails').replaceChildren(...mails.map(item))
  if (shownId === null && mails.length > 0) show(mails[0])
})
