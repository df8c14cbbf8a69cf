import { ApiError, call, csrfToken } from './api.js'
import { byId, quiet, say, sayError, showDevices, showSudo, showUser, showView } from './view.js'

/** What a message calls a field. The user's name stands unseen in some forms; it is never at fault there. */
const words = { email: 'email', username: 'username', password: 'password', new_password: 'password' }

/** The field to look at again; the server tells a bad value by its field's name. */
function culprit(form, { code, status, message }) {
  if (status === 0 || status === 429 || status >= 500) return undefined
  const field = (name) => form.elements[name]
  if (code === 'CRUDAUTH_BAD_CREDENTIALS') return field('password')
  if (code === 'CRUDAUTH_WRONG_PASSWORD') return field('current_password') ?? field('password')
  const [first] = Object.entries(words)
    .filter(([name, word]) => field(name) && !field(name).readOnly && message.includes(word))
    .sort(([, a], [, b]) => message.indexOf(a) - message.indexOf(b))
  return first && field(first[0])
}

/** Shows who is signed in here, or the forms to sign in. */
async function refresh() {
  // Without the readable cookie there is no session to ask for.
  if (csrfToken() === null) return showView('signed-out')
  try {
    const [me] = await Promise.all([call('GET', '/auth/me'), refreshDevices()])
    showUser(me)
    showView('signed-in')
  } catch (error) {
    if (error.code !== 'CRUDAUTH_UNAUTHENTICATED') throw error
    // It has ended elsewhere; this clears what is left of it in the browser.
    await call('POST', '/auth/logout').catch(() => {})
    showSudo(null)
    showView('signed-out')
    throw error
  }
}

async function refreshDevices() {
  showDevices(await call('GET', '/auth/sessions'), endSession)
}

/** Runs what a control asks for; shows how it ended. The control does not take a second click meanwhile. */
async function run(control, action, form) {
  if (control.getAttribute('aria-disabled') === 'true') return
  control.setAttribute('aria-disabled', 'true')
  quiet()
  for (const field of form?.elements ?? []) field.removeAttribute('aria-invalid')
  try {
    const done = await action()
    if (done) say(done)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    sayError(error)
    const field = form && culprit(form, error)
    if (field) {
      field.setAttribute('aria-invalid', 'true')
      field.focus()
    }
    if (error.code === 'CRUDAUTH_UNAUTHENTICATED') await refresh().catch(() => {})
    if (error.code === 'CRUDAUTH_SUDO_REQUIRED') {
      showSudo(null)
      byId('sudo-password').focus()
    }
  } finally {
    control.removeAttribute('aria-disabled')
  }
}

function onSubmit(id, action) {
  const form = byId(id)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const submit = form.querySelector('button')
    run(submit, () => action(Object.fromEntries(new FormData(form)), form), form)
  })
}

const onClick = (id, action) => byId(id).addEventListener('click', ({ currentTarget }) => run(currentTarget, action))

function endSession(session, button) {
  return run(button, async () => {
    await call('DELETE', `/auth/sessions/${encodeURIComponent(session.session_id)}`)
    await refreshDevices()
    byId('devices-title').focus()
    return `Ended the session of ${session.device}.`
  })
}

onSubmit('register', async ({ email, username, password }, form) => {
  await call('POST', '/auth/register', { email, username, password })
  form.reset()
  byId('login-name').value = username
  byId('login-password').focus()
  return `Account “${username}” made. Sign in with it now.`
})

onSubmit('login', async (fields) => {
  await call('POST', '/auth/login', new URLSearchParams(fields))
  if (csrfToken() === null) throw new ApiError(0, { code: 'COOKIE_REFUSED' })
  showSudo(null)
  await refresh()
  return 'Signed in.'
})

onSubmit('sudo', async ({ password }, form) => {
  const { until } = await call('POST', '/sudo', { password })
  form.reset()
  showSudo(new Date(until))
  return 'Confirmed. You can delete the account now.'
})

onSubmit('change', async ({ current_password, new_password }, form) => {
  await call('POST', '/auth/change-password', { current_password, new_password })
  form.reset()
  await refresh()
  return 'Password changed. Every other session has ended.'
})

onClick('logout', async () => {
  await call('POST', '/auth/logout')
  showSudo(null)
  await refresh()
  return 'Signed out.'
})

onClick('logout-others', async () => {
  const { revoked } = await call('POST', '/auth/logout-all?keep_current=true')
  await refreshDevices()
  byId('devices-title').focus()
  return revoked === 1 ? 'Ended one other session.' : `Ended ${revoked} other sessions.`
})

onClick('delete', async () => {
  if (!confirm('Delete the account for good?')) return
  await call('DELETE', '/account')
  showSudo(null)
  await refresh()
  return 'Account deleted.'
})

// Another device may have ended this session while nobody looked.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && !byId('signed-in').hidden) refresh().catch(sayError)
})

refresh().catch((error) => {
  sayError(error)
  if (byId('signed-in').hidden) showView('signed-out')
})
