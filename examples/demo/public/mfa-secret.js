/** Shows a TOTP secret: as a QR code, as text, and as a link for an app on this device. */

import { encode } from './uqr.js'
import { link } from './view.js'

function svg(name, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  return element
}

/** Draws each dark module as a square. Always dark on light, which every scanner reads. */
function qrCode(text) {
  const { data, size } = encode(text, { ecc: 'M', border: 4 })
  const squares = data.flatMap((row, y) =>
    row.flatMap((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : [])),
  )
  const picture = svg('svg', {
    viewBox: `0 0 ${size} ${size}`,
    role: 'img',
    'aria-label': 'QR code for your authenticator app',
    'shape-rendering': 'crispEdges',
  })
  picture.append(
    svg('rect', { width: size, height: size, fill: '#fff' }),
    svg('path', { d: squares.join(''), fill: '#000' }),
  )
  return picture
}

export function showSecret(place, { secret, otpauth_uri }) {
  const hint = document.createElement('p')
  hint.className = 'hint'
  hint.append(
    'Scan the code with an authenticator app, type in the secret below it, or ',
    link(otpauth_uri, 'open the app on this device'),
    '.',
  )
  const text = Object.assign(document.createElement('code'), { className: 'shown-once' })
  // Groups are easier to type. Authenticator apps ignore the spaces.
  text.textContent = secret.match(/.{1,4}/g).join(' ')
  place.replaceChildren(hint, qrCode(otpauth_uri), text)
}
