import { checkInteger, checkObject } from '../../lib/option-checks.js'
import type { LockoutPolicy } from './lockout.js'

export function resolveLockout(options: Partial<LockoutPolicy> | false = {}) {
  if (options === false) return false
  checkObject('lockout', options, [
    'maxAttempts',
    'maxAttemptsPerIp',
    'windowSeconds',
    'lockSeconds',
    'maxLockSeconds',
  ])
  const lockSeconds = checkInteger('lockout.lockSeconds', options.lockSeconds, 60, 1)
  return {
    maxAttempts: checkInteger('lockout.maxAttempts', options.maxAttempts, 5, 1),
    maxAttemptsPerIp: checkInteger('lockout.maxAttemptsPerIp', options.maxAttemptsPerIp, 30, 1),
    windowSeconds: checkInteger('lockout.windowSeconds', options.windowSeconds, 60, 1, 86_400),
    lockSeconds,
    maxLockSeconds: checkInteger(
      'lockout.maxLockSeconds',
      options.maxLockSeconds,
      Math.max(3600, lockSeconds),
      lockSeconds,
    ),
  }
}
