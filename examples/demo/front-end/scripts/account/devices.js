/** Where the account is signed in. */

import { auth } from '../auth.js'
import { badge, byId, el, row } from '../dom.js'
import { onClick, run } from '../forms.js'
import { ago, time } from '../time.js'

async function show() {
  const sessions = await auth.sessions.list()
  byId('devices').replaceChildren(...sessions.map(deviceRow))
  byId('logout-others').hidden = sessions.length < 2
}

async function end({ session_id, label }) {
  await auth.sessions.revoke(session_id)
  await show()
  byId('devices-title').focus()
  return `Ended the session of ${label}.`
}

function deviceRow(session) {
  const { label, ip, created_at, last_activity, current } = session
  const title = [el('strong', {}, label), ...(current ? [' ', badge('this device')] : [])]
  const details = [`${ip} · signed in `, time(created_at), ' · active ', time(last_activity)]
  if (current) return row(title, details)
  const name = `End the session of ${label}, signed in ${ago(created_at)}`
  const button = el('button', { type: 'button', 'aria-label': name }, 'End')
  button.addEventListener('click', () => run(button, () => end(session)))
  return row(title, details, button)
}

export const devices = {
  mount() {
    onClick('logout-others', async () => {
      const { revoked } = await auth.sessions.revokeAll({ keepCurrent: true })
      await show()
      byId('devices-title').focus()
      return revoked === 1 ? 'Ended one other session.' : `Ended ${revoked} other sessions.`
    })
  },
  show,
}
