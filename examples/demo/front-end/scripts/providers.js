/** The configured providers: none with `npm start`, one with `npm run demo:oidc`. */

import { auth, call } from './auth.js'
import { byId, el } from './dom.js'

let providers = []

export const providerList = () => providers

export const nameOf = (key) => providers.find((provider) => provider.key === key)?.name ?? key

/** Loads them, and shows the parts of the page that are about providers. */
export async function loadProviders() {
  providers = await call('GET', '/providers')
  for (const part of document.querySelectorAll('.for-providers'))
    part.hidden = providers.length === 0
  for (const hint of document.querySelectorAll('.providers-hint'))
    hint.textContent = providers.map(({ hint }) => hint).join(' ')
}

export function showSignInButtons(place) {
  place.replaceChildren(
    ...providers.map(({ key, name }) => {
      const button = el('button', { type: 'button' }, `Sign in with ${name}`)
      button.addEventListener('click', () =>
        auth.oauth.signInWith(key, {
          redirectTo: '/',
          rememberMe: byId('login-remember').checked,
        }),
      )
      return button
    }),
  )
}
