/** The views, the messages and the list of devices. Text is inserted as text, never as markup. */

export const byId = (id) => document.getElementById(id)

const texts = {
  OFFLINE: 'The server cannot be reached. Is the demo still running?',
  CRUDAUTH_BAD_CREDENTIALS: 'No account has that name and password.',
  CRUDAUTH_WRONG_PASSWORD: 'That is not your password.',
  CRUDAUTH_UNAUTHENTICATED: 'You are no longer signed in.',
  CRUDAUTH_SUDO_REQUIRED: 'Confirm it is you first.',
  CRUDAUTH_MFA_CODE: 'That code is wrong, has expired, or was used before.',
  CRUDAUTH_FRESH_SIGN_IN_REQUIRED:
    'You signed in too long ago for that. Sign out, sign in again, and do it then.',
  oauth_failed:
    'The provider did not sign you in: it was refused there, or something failed on the way. Try again.',
  invalid_state: 'That sign-in has expired, or was begun in another browser. Begin it again.',
  email_missing: 'The provider gave no email, and an account here needs one.',
  email_unverified:
    'There is an account with that email. Sign in to it with your password, and link the provider there.',
  provider_already_linked:
    'The account with that email is linked to another account at this provider.',
  account_inactive: 'That account is disabled.',
  access_denied: 'That account may not sign in here.',
  oauth_linked_elsewhere:
    'That account at the provider lets somebody into another account here. Sign in with it, and unlink it there first.',
  CRUDAUTH_NOT_FOUND: 'That session has ended already.',
  CRUDAUTH_TOKEN_INVALID_OR_USED:
    'This link has been used, has expired, or was replaced by a newer one.',
  NO_TOKEN: 'The link is not complete.',
  CRUDAUTH_LOCKED_OUT: 'Too many wrong passwords or codes.',
  CRUDAUTH_RATE_LIMITED: 'That was too often.',
  CRUDAUTH_CSRF: 'The page is out of date. Reload it and try again.',
  CRUDAUTH_CROSS_SITE: 'The sign-in came from another site.',
  CRUDAUTH_UNAVAILABLE: 'The service is temporarily unavailable.',
  CRUDAUTH_OVERLOADED: 'The service is busy.',
  COOKIE_REFUSED:
    'This browser did not keep the cookie. Open http://localhost, or start the demo with COOKIE_SECURE=0.',
}

function wait(seconds) {
  const [amount, unit] = seconds > 90 ? [Math.ceil(seconds / 60), 'minute'] : [seconds, 'second']
  return ` Try again in ${amount} ${unit}${amount === 1 ? '' : 's'}.`
}

function show(id, ...parts) {
  for (const other of ['status', 'alert'])
    byId(other).replaceChildren(...(other === id ? parts : []))
}

/** @param parts strings and elements */
export const say = (...parts) => show('status', ...parts)

export const link = (href, textContent) =>
  Object.assign(document.createElement('a'), { href, textContent })

/** Shows an error: our text for its code, or else the server's message. */
export function sayError(error) {
  const text = error.text ?? texts[error.code] ?? `${error.message}.`.replace(/([.!?])\.$/, '$1')
  const code = document.createElement('code')
  code.textContent = error.code
  show('alert', text + (error.retryAfterSeconds ? wait(error.retryAfterSeconds) : ''), ' ', code)
}

export const quiet = () => show(null)

/** Shows a view. On a change, focuses its heading, because the focused element is hidden now. */
export function showView(id) {
  const view = byId(id)
  if (!view.hidden) return
  const views = [...document.querySelectorAll('.view')]
  const isFirst = views.every((other) => other.hidden)
  for (const other of views) other.hidden = other !== view
  for (const form of document.querySelectorAll('form')) form.reset()
  if (!isFirst) view.querySelector('h1').focus()
}

export const fact = (name, ...value) => {
  const description = document.createElement('dd')
  description.append(...value)
  return [Object.assign(document.createElement('dt'), { textContent: name }), description]
}

const badge = (textContent, kind = '') =>
  Object.assign(document.createElement('span'), { className: `badge ${kind}`, textContent })

export function showUser(me, isVerified, hasPassword, hasFactor) {
  const facts = [
    ['Username', me.username],
    ['Email', me.email, ' ', isVerified ? badge('confirmed') : badge('not confirmed', 'open')],
    ['User id', me.user_id],
    ['Signed in by', me.via],
  ]
  byId('greeting').textContent = `Hello, ${me.username}`
  byId('you').replaceChildren(...facts.flatMap(([name, ...value]) => fact(name, ...value)))
  byId('verify').hidden = isVerified
  byId('first').hidden = hasPassword
  for (const part of document.querySelectorAll('.needs-password'))
    part.hidden = part.disabled = !hasPassword
  for (const card of document.querySelectorAll('.needs-proof'))
    card.hidden = !hasPassword && !hasFactor
  for (const input of document.querySelectorAll('.for-password-managers')) input.value = me.username
}

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const units = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
]

export function ago(iso) {
  const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000)
  const [unit, length] = units.find(([, size]) => seconds >= size) ?? []
  return unit ? relative.format(-Math.floor(seconds / length), unit) : 'just now'
}

function time(iso) {
  return Object.assign(document.createElement('time'), {
    dateTime: iso,
    title: new Date(iso).toLocaleString(),
    textContent: ago(iso),
  })
}

function deviceItem(session, onEnd) {
  const name = Object.assign(document.createElement('strong'), { textContent: session.label })
  const title = document.createElement('p')
  title.append(name, ...(session.current ? [' ', badge('this device')] : []))
  const details = Object.assign(document.createElement('p'), { className: 'hint' })
  details.append(
    `${session.ip} · signed in `,
    time(session.created_at),
    ' · active ',
    time(session.last_activity),
  )
  const text = document.createElement('div')
  text.append(title, details)
  const item = document.createElement('li')
  item.append(text)
  if (!session.current) {
    const button = Object.assign(document.createElement('button'), {
      type: 'button',
      textContent: 'End',
    })
    button.setAttribute(
      'aria-label',
      `End the session of ${session.label}, signed in ${ago(session.created_at)}`,
    )
    button.addEventListener('click', () => onEnd(session, button))
    item.append(button)
  }
  return item
}

export function showDevices(sessions, onEnd) {
  byId('devices').replaceChildren(...sessions.map((session) => deviceItem(session, onEnd)))
  byId('logout-others').hidden = sessions.length < 2
}

let sudoTimer

/** @param until when sudo mode ends, or null if it is not active */
export function showSudo(until) {
  const clock = until?.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  byId('sudo-state').textContent = until
    ? `Confirmed until ${clock}.`
    : 'Dangerous actions ask again whether it is you. Your answer counts for five minutes, on this device.'
  byId('sudo').classList.toggle('confirmed', until !== null)
  clearTimeout(sudoTimer)
  if (until) sudoTimer = setTimeout(showSudo, until - Date.now(), null)
}
