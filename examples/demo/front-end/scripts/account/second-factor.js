/** The second factor: its set-up with a QR code, new recovery codes, and turning it off. */

import { auth } from '../auth.js'
import { byId } from '../dom.js'
import { onClick, onSubmit } from '../forms.js'
import { showSecret } from '../totp-secret.js'
import { forgetCodes, showCodes } from './recovery-codes.js'

/** The last response of `auth.mfa.status()`. */
let status = { enabled: false, required: false, recovery_codes_remaining: 0 }
let hasPasskey = false
let isSettingUp = false

function stateOf({ enabled, required, recovery_codes_remaining: left }, hasPasskey) {
  if (enabled && left === 0) return 'On, but no recovery codes are left. Create new ones.'
  if (enabled) return `On. ${left} recovery ${left === 1 ? 'code is' : 'codes are'} left.`
  if (required && hasPasskey) return 'Off. Your passkey is your second factor.'
  if (required) return 'Off. You are asked to set it up at your next sign-in.'
  return 'Off. With it, your password alone no longer opens the account.'
}

function render() {
  byId('factor-state').textContent = stateOf(status, hasPasskey)
  byId('factor-begin').hidden = status.enabled || isSettingUp
  byId('factor-confirm').hidden = !isSettingUp
  byId('factor-change').hidden = !status.enabled
  byId('factor-off').hidden = status.required
}

function forgetSecret() {
  isSettingUp = false
  byId('factor-secret').replaceChildren()
}

async function begin({ password }, form) {
  // Without a password for an account that has none.
  const setup = await auth.mfa.setup(password)
  form.reset()
  showSecret(byId('factor-secret'), setup)
  isSettingUp = true
  render()
  byId('factor-first').focus()
}

async function confirm({ code }, form, refresh) {
  const { recovery_codes } = await auth.mfa.confirm(code)
  form.reset()
  forgetSecret()
  showCodes(recovery_codes)
  await refresh()
  return 'The second factor is on.'
}

/** @param fields `change` is the button that was clicked */
async function change({ code, change }, form, refresh) {
  if (change === 'regenerate') {
    const { recovery_codes } = await auth.mfa.regenerateRecoveryCodes(code)
    form.reset()
    showCodes(recovery_codes)
    await refresh()
    return 'These codes replace the old ones.'
  }
  await auth.mfa.disable(code)
  form.reset()
  forgetCodes()
  await refresh()
  byId('factor-title').focus()
  return 'The second factor is off.'
}

export const secondFactor = {
  mount({ refresh }) {
    onSubmit('factor-begin', begin)
    onSubmit('factor-confirm', (fields, form) => confirm(fields, form, refresh))
    onSubmit('factor-change', (fields, form) => change(fields, form, refresh))
    onClick('factor-cancel', async () => {
      forgetSecret()
      render()
      byId('factor-title').focus()
    })
  },

  show({ factor, passkeys }) {
    status = factor
    hasPasskey = passkeys.length > 0
    // Another tab may have turned it on.
    if (status.enabled) forgetSecret()
    render()
  },

  forget: forgetSecret,
}
