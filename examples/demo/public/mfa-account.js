/** The second factor of the signed-in account, and its recovery codes. */

import { ApiError, call } from './api.js'
import { showSecret } from './mfa-secret.js'
import { byId } from './view.js'

/** The last response of GET /auth/mfa. */
let status = { enabled: false, required: false, recovery_codes_remaining: 0 }
let isSettingUp = false
let codes = []

function stateOf({ enabled, required, recovery_codes_remaining: left }) {
  if (enabled && left === 0) return 'On, but no recovery codes are left. Create new ones.'
  if (enabled) return `On. ${left} recovery ${left === 1 ? 'code is' : 'codes are'} left.`
  if (required) return 'Off. You are asked to set it up at your next sign-in.'
  return 'Off. Turn it on, and your password alone no longer opens the account.'
}

function render() {
  byId('factor-state').textContent = stateOf(status)
  byId('factor-begin').hidden = status.enabled || isSettingUp
  byId('factor-confirm').hidden = !isSettingUp
  byId('factor-change').hidden = !status.enabled
  byId('factor-off').hidden = status.required
}

export function showFactor(newStatus) {
  status = newStatus
  // Another tab may have turned it on.
  isSettingUp &&= !status.enabled
  render()
}

export function showCodes(newCodes) {
  codes = newCodes
  byId('codes-list').replaceChildren(
    ...codes.map((code) => {
      const item = document.createElement('li')
      item.append(
        Object.assign(document.createElement('code'), {
          className: 'shown-once',
          textContent: code,
        }),
      )
      return item
    }),
  )
  byId('codes-copy').hidden = !navigator.clipboard
  byId('codes').hidden = false
  byId('codes-title').focus()
}

/** Removes what is shown once. */
export function forgetSecrets() {
  isSettingUp = false
  codes = []
  byId('factor-secret').replaceChildren()
  byId('codes-list').replaceChildren()
  byId('codes').hidden = true
}

export async function copyCodes() {
  try {
    await navigator.clipboard.writeText(codes.join('\n'))
  } catch {
    throw new ApiError(0, { code: 'NOT_COPIED', message: 'The browser did not copy them' })
  }
  return 'Copied.'
}

export async function downloadCodes() {
  const href = URL.createObjectURL(new Blob([`${codes.join('\n')}\n`], { type: 'text/plain' }))
  const download = 'recovery-codes.txt'
  Object.assign(document.createElement('a'), { href, download }).click()
  URL.revokeObjectURL(href)
}

/** @param fields without a password for an account that has none */
export async function beginSetup({ password }, form) {
  const setup = await call('POST', '/auth/mfa/totp/setup', { password })
  form.reset()
  showSecret(byId('factor-secret'), setup)
  isSettingUp = true
  render()
  byId('factor-first').focus()
}

export async function cancelSetup() {
  forgetSecrets()
  render()
  byId('factor-title').focus()
}

export async function confirmSetup({ code }, form) {
  const { recovery_codes } = await call('POST', '/auth/mfa/totp/confirm', { code })
  form.reset()
  forgetSecrets()
  showCodes(recovery_codes)
  return 'The second factor is on.'
}

/** @param fields `change` is the button that was clicked */
export async function changeFactor({ code, change }, form) {
  if (change === 'disable') {
    await call('POST', '/auth/mfa/totp/disable', { code })
    form.reset()
    forgetSecrets()
    byId('factor-title').focus()
    return 'The second factor is off.'
  }
  const { recovery_codes } = await call('POST', '/auth/mfa/recovery-codes/regenerate', { code })
  form.reset()
  showCodes(recovery_codes)
  return 'These codes replace the old ones.'
}

export async function finishCodes() {
  forgetSecrets()
  byId('factor-title').focus()
}
