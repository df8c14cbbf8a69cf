/** The account area. Each section is a module; a new one is added to the list here. */

import { auth, call } from '../auth.js'
import { byId, showView } from '../dom.js'
import { onClick } from '../forms.js'
import { offerProofs } from '../sudo.js'
import { dangerZone } from './danger-zone.js'
import { devices } from './devices.js'
import { linkedAccounts } from './linked-accounts.js'
import { passkeys } from './passkeys.js'
import { password } from './password.js'
import { profile } from './profile.js'
import { recoveryCodes } from './recovery-codes.js'
import { secondFactor } from './second-factor.js'

/**
 * A section has `mount({ refresh })`, called once; `show(account)`, which may ask the server; and
 * maybe `forget()`, called when nobody is signed in.
 */
const sections = [
  profile,
  devices,
  linkedAccounts,
  password,
  passkeys,
  secondFactor,
  recoveryCodes,
  dangerZone,
]

/** @param refresh shows the account again after a change */
export function mountAccount({ refresh }) {
  for (const section of sections) section.mount?.({ refresh })

  onClick('logout', async () => {
    await auth.logout()
    await refresh()
    return 'Signed out.'
  })

  return {
    isLinked: linkedAccounts.has,
    /** @param me the user, from `auth.me()` */
    async show(me) {
      const [{ verified, has_password: hasPassword }, factor, passkeyList] = await Promise.all([
        call('GET', '/dashboard'),
        auth.mfa.status(),
        auth.passkeys.list(),
      ])
      const account = { me, isVerified: verified, hasPassword, factor, passkeys: passkeyList }
      await Promise.all(sections.map((section) => section.show?.(account)))
      offerProofs({
        hasPassword,
        hasFactor: factor.enabled,
        hasPasskey: passkeyList.length > 0 && auth.passkeys.isSupported(),
      })
      byId('greeting').textContent = `Hello, ${me.username}`
      for (const part of document.querySelectorAll('.needs-password'))
        part.hidden = part.disabled = !hasPassword
      for (const input of document.querySelectorAll('.for-password-managers'))
        input.value = me.username
      showView('signed-in')
    },
    forget() {
      for (const section of sections) section.forget?.()
    },
  }
}
