/** Shows the collected emails. Text is inserted only as text. The HTML stays in its frame. */

import { ApiError, call } from './api.js'
import { ago, byId, fact, quiet, sayError } from './view.js'

const everyMs = 2000
let known = ''
let shownId = null

function show(mail) {
  shownId = mail.id
  byId('subject').textContent = mail.subject
  byId('facts').replaceChildren(
    ...[
      ['To', mail.to],
      ['Sent', new Date(mail.sent_at).toLocaleString()],
      ['Kind', mail.kind],
    ].flatMap(([name, value]) => fact(name, value)),
  )
  const frame = byId('html')
  frame.hidden = !mail.has_html
  frame.src = mail.has_html ? `/mailbox/messages/${mail.id}/html` : 'about:blank'
  byId('text').textContent = mail.text
  byId('open').href = mail.link
  byId('mail').hidden = false
  for (const button of document.querySelectorAll('#mails button')) {
    button.setAttribute('aria-pressed', String(button.value === String(mail.id)))
  }
}

function item(mail) {
  const subject = Object.assign(document.createElement('strong'), { textContent: mail.subject })
  const details = Object.assign(document.createElement('span'), { className: 'hint' })
  details.textContent = `${mail.to} · ${ago(mail.sent_at)}`
  const button = Object.assign(document.createElement('button'), { type: 'button', value: mail.id })
  button.setAttribute('aria-pressed', String(mail.id === shownId))
  button.append(subject, details)
  button.addEventListener('click', () => {
    show(mail)
    byId('subject').focus()
  })
  const entry = document.createElement('li')
  entry.append(button)
  return entry
}

async function refresh() {
  const mails = await call('GET', '/mailbox/messages')
  quiet()
  const now = mails.map(({ id }) => id).join()
  if (now === known) return
  known = now
  byId('empty').hidden = mails.length > 0
  byId('mails').replaceChildren(...mails.map(item))
  if (shownId === null && mails.length > 0) show(mails[0])
}

async function watch() {
  try {
    if (document.visibilityState === 'visible') await refresh()
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    sayError(error)
    // On another machine, the mailbox never opens, so stop polling.
    if (error.status === 403) return
  }
  setTimeout(watch, everyMs)
}

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') refresh().catch(sayError)
})
watch()
