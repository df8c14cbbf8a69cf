/** Sign-in with providers: the buttons, the linked accounts, and the result in the URL. */

import { ApiError, call } from './api.js'
import { ago, byId } from './view.js'

/** The configured providers: none with `npm start`, one with `npm run demo:oidc`. */
let providers = []

const nameOf = (key) => providers.find((provider) => provider.key === key)?.name ?? key

/** A link that starts a sign-in. It must be a browser navigation, not a `fetch`. */
function signInLink({ key, name }) {
  const remember = byId('login-remember')
  const anchor = Object.assign(document.createElement('a'), {
    className: 'button',
    textContent: `Sign in with ${name}`,
  })
  const lead = () => {
    const query = new URLSearchParams({
      redirect_to: '/',
      ...(remember.checked && { remember_me: 'on' }),
    })
    anchor.href = `/auth/oauth/${encodeURIComponent(key)}/authorize?${query}`
  }
  remember.addEventListener('change', lead)
  // The event fires before the form is reset.
  remember.form.addEventListener('reset', () => queueMicrotask(lead))
  lead()
  return anchor
}

export async function loadProviders() {
  providers = await call('GET', '/providers')
  byId('providers').replaceChildren(...providers.map(signInLink))
  for (const part of document.querySelectorAll('.for-providers'))
    part.hidden = providers.length === 0
  for (const hint of document.querySelectorAll('.providers-hint'))
    hint.textContent = providers.map(({ hint }) => hint).join(' ')
}

/** The name as a title: "The local provider". */
const title = (name) => name.replace(/^the (.)/, (_, first) => first.toUpperCase())

/** @param act called on a click: `act(key, isLinked, button)` */
function accountItem({ key, name }, account, act) {
  const heading = document.createElement('p')
  heading.append(Object.assign(document.createElement('strong'), { textContent: title(name) }))
  const since = account?.linked_at ? `linked ${ago(account.linked_at)}` : 'linked'
  const details = [account?.email, account ? since : 'not linked'].filter(Boolean).join(' · ')
  const text = document.createElement('div')
  text.append(
    heading,
    Object.assign(document.createElement('p'), { className: 'hint', textContent: details }),
  )
  const verb = account ? 'Unlink' : 'Link'
  const button = Object.assign(document.createElement('button'), {
    type: 'button',
    textContent: verb,
  })
  button.setAttribute('aria-label', `${verb} ${name}`)
  button.addEventListener('click', () => act(key, Boolean(account), button))
  const item = document.createElement('li')
  item.append(text, button)
  return item
}

export async function refreshAccounts(act) {
  if (providers.length === 0) return []
  const accounts = await call('GET', '/auth/oauth/accounts')
  const accountOf = (key) => accounts.find(({ provider }) => provider === key)
  byId('accounts').replaceChildren(
    ...providers.map((provider) => accountItem(provider, accountOf(provider.key), act)),
  )
  return accounts
}

export async function beginLink(key) {
  const url = `/auth/oauth/${encodeURIComponent(key)}/link`
  const { authorize_url } = await call('POST', url, {
    redirect_to: `/?linked=${encodeURIComponent(key)}`,
  })
  location.assign(authorize_url)
}

export async function unlink(key) {
  await call('DELETE', `/auth/oauth/${encodeURIComponent(key)}`)
  return `Unlinked ${nameOf(key)}.`
}

const refusals = [
  'invalid_state',
  'oauth_failed',
  'email_missing',
  'email_unverified',
  'provider_already_linked',
  'oauth_linked_elsewhere',
  'account_inactive',
  'access_denied',
]

/**
 * Reads the result of a sign-in or linking from the URL and removes it there.
 * Anyone can forge the URL, so the result only selects a message.
 */
export function takeLanding() {
  const query = new URLSearchParams(location.search)
  const [error, linked] = [query.get('error'), query.get('linked')]
  const challenge = new URLSearchParams(location.hash.slice(1)).get('mfa_challenge')
  // Also keeps the challenge out of the history.
  if ([error, linked, challenge].some((value) => value !== null))
    history.replaceState(null, '', location.pathname)
  return {
    challenge,
    error: refusals.includes(error) ? new ApiError(400, { code: error }) : null,
    linkedMessage: (accounts) =>
      accounts.some(({ provider }) => provider === linked) ? `Linked ${nameOf(linked)}.` : null,
  }
}
