/** Times, as people say them. */

import { el } from './dom.js'

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

export const time = (iso) =>
  el('time', { dateTime: iso, title: new Date(iso).toLocaleString() }, ago(iso))

/** Such as "Try again in 20 seconds." */
export function retryIn(seconds) {
  const [amount, unit] = seconds > 90 ? [Math.ceil(seconds / 60), 'minute'] : [seconds, 'second']
  return `Try again in ${amount} ${unit}${amount === 1 ? '' : 's'}.`
}
