import { ApiError, call, csrfToken, forgetCsrfToken } from './api.js'
import * as forms from './forms.js'
import * as factor from './mfa-account.js'
import { beginStep, endStep, finishStep, resumeStep } from './mfa-sign-in.js'
import { beginLink, loadProviders, refreshAccounts, takeLanding, unlink } from './oauth.js'
import { byId, link, say, sayError, showDevices, showSudo, showUser, showView } from './view.js'

const onSubmit = (id, action) => forms.onSubmit(id, action, onError)
const onClick = (id, action) => forms.onClick(id, action, onError)
const offerSudo = forms.swapsFields('sudo')

/** Shows the signed-in user, or the sign-in forms. Resolves to the linked accounts. */
async function refresh() {
  // Without the readable cookie there is no session.
  const token = csrfToken()
  if (token === null) {
    factor.forgetSecrets()
    showView('signed-out')
    return []
  }
  try {
    const [me, { verified, has_password }, status, accounts] = await Promise.all([
      call('GET', '/auth/me'),
      call('GET', '/dashboard'),
      call('GET', '/auth/mfa'),
      refreshAccounts(changeLink),
      refreshDevices(),
    ])
    showUser(me, verified, has_password, status.enabled)
    factor.showFactor(status)
    offerSudo([...(has_password ? [0] : []), ...(status.enabled ? [1] : [])])
    showView('signed-in')
    return accounts
  } catch (error) {
    if (error.code !== 'CRUDAUTH_UNAUTHENTICATED') throw error
    // The session was ended elsewhere.
    forgetCsrfToken(token)
    factor.forgetSecrets()
    showSudo(null)
    showView('signed-out')
    throw error
  }
}

async function refreshDevices() {
  showDevices(await call('GET', '/auth/sessions'), endSession)
}

/** What to do after an error, besides showing it. */
async function onError(error) {
  if (error.code === 'CRUDAUTH_UNAUTHENTICATED') await refresh().catch(() => {})
  if (error.code === 'CRUDAUTH_SUDO_REQUIRED') {
    showSudo(null)
    forms.focusField(byId('sudo'))
  }
}

function endSession(session, button) {
  const end = async () => {
    await call('DELETE', `/auth/sessions/${encodeURIComponent(session.session_id)}`)
    await refreshDevices()
    byId('devices-title').focus()
    return `Ended the session of ${session.label}.`
  }
  return forms.run(button, end, { onError })
}

function changeLink(key, isLinked, button) {
  const change = async () => {
    if (!isLinked) return beginLink(key)
    const done = await unlink(key)
    await refreshAccounts(changeLink)
    byId('accounts-title').focus()
    return done
  }
  return forms.run(button, change, { onError })
}

onSubmit('register', async ({ email, username, password }, form) => {
  await call('POST', '/auth/register', { email, username, password })
  form.reset()
  byId('login-name').value = username
  byId('login-password').focus()
  // The same text whether or not the address has an account. Only its owner learns that, by email.
  return [
    `Almost there: a message to ${email} was sent. You find it in the `,
    link('/mailbox', 'mailbox'),
    '.',
  ]
})

async function signedIn() {
  if (csrfToken() === null) throw new ApiError(0, { code: 'COOKIE_REFUSED' })
  showSudo(null)
  await refresh()
  return 'Signed in.'
}

onSubmit('login', async (fields) => {
  const answer = await call('POST', '/auth/login', new URLSearchParams(fields))
  return answer.mfa_required ? beginStep(answer) : signedIn()
})

onSubmit('step', async (fields) => {
  const recoveryCodes = await finishStep(fields)
  const done = await signedIn()
  if (recoveryCodes) factor.showCodes(recoveryCodes)
  return done
})

onClick('step-back', async () => {
  endStep()
  await refresh()
})

onSubmit('sudo', async ({ password, code }, form) => {
  const { until } = await call('POST', '/sudo', code === undefined ? { password } : { code })
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

const thenRefresh = (action) => async (fields, form) => {
  const done = await action(fields, form)
  await refresh()
  return done
}

onSubmit('factor-begin', factor.beginSetup)
onSubmit('factor-confirm', thenRefresh(factor.confirmSetup))
onSubmit('factor-change', thenRefresh(factor.changeFactor))
onClick('factor-cancel', factor.cancelSetup)
onClick('codes-copy', factor.copyCodes)
onClick('codes-download', factor.downloadCodes)
onClick('codes-done', factor.finishCodes)

onSubmit('first', async ({ new_password }, form) => {
  await call('POST', '/auth/set-password', { new_password })
  form.reset()
  await refresh()
  return 'Password set. You can sign in with it from now on.'
})

onSubmit('move', async ({ new_email, password }, form) => {
  await call('POST', '/auth/email/change-request', { new_email, password, redirect_to: '/' })
  form.reset()
  return [
    `If ${new_email} is free, a message was sent to it. You find it in the `,
    link('/mailbox', 'mailbox'),
    '.',
  ]
})

onClick('verify', async () => {
  const { email } = await call('GET', '/auth/me')
  await call('POST', '/auth/email/verify-request', { email, redirect_to: '/' })
  return [`A message to ${email} was sent. You find it in the `, link('/mailbox', 'mailbox'), '.']
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

// Another device may have ended this session while the page was hidden.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && !byId('signed-in').hidden) refresh().catch(sayError)
})

async function open() {
  const landing = takeLanding()
  await loadProviders()
  if (landing.challenge) return resumeStep(landing.challenge)
  const accounts = await refresh()
  const linked = landing.linkedMessage(accounts)
  if (landing.error) sayError(landing.error)
  else if (linked) say(linked)
}

open().catch((error) => {
  sayError(error)
  if (byId('signed-in').hidden) showView('signed-out')
})
