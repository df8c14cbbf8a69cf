import { setTimeout as delay } from 'node:timers/promises'
import type { Account } from './account.js'

/** How often visitors do what, in parts of a hundred. */
const habits: readonly (readonly [parts: number, what: keyof Account & string])[] = [
  [62, 'use'],
  [10, 'refresh'],
  [9, 'listDevices'],
  [7, 'signIn'],
  [4, 'signOut'],
  [3, 'getTokens'],
  [2, 'mistype'],
  [3, 'resetPassword'],
]

function habit(): keyof Account {
  let drawn = Math.random() * 100
  for (const [parts, what] of habits) {
    drawn -= parts
    if (drawn < 0) return what
  }
  return 'use'
}

/** Most live sessions and token families of an account: fewer than the plugin allows. */
const most = { sessions: 3, families: 3 }

/** One person after another: signs up, lives with the account for a while, and leaves it as it is. */
export async function visit(newAccount: () => Account, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const account = newAccount()
    if (!(await account.signUp())) continue
    if (Math.random() < 0.5) await account.verifyEmail()
    await account.signIn()
    for (let left = 30 + Math.random() * 100; left > 0 && !isOver(); left--) {
      const what = habit()
      const full =
        (what === 'signIn' && account.sessions.length >= most.sessions) ||
        (what === 'getTokens' && account.families.length >= most.families)
      await (account[full ? 'signOut' : what] as () => Promise<void>).call(account)
      await delay(50 + Math.random() * 200)
    }
  }
}

/** Proves once more, at the end, what was acknowledged about every account. */
export async function audit(accounts: readonly Account[]): Promise<void> {
  const waiting = [...accounts]
  const auditor = async () => {
    for (let account = waiting.pop(); account; account = waiting.pop()) {
      await account.use()
      await account.listDevices()
      await account.refresh()
      await account.signIn()
    }
  }
  await Promise.all(Array.from({ length: 10 }, auditor))
}
