/** Shows a TOTP secret: as a QR code, as text, and as a link for an app on this device. */

import { encode } from 'uqr'
import { el, link } from './dom.js'

function svg(name, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  return element
}

/**
 * Draws each dark module as a square. Always dark on light, which every scanner reads. It is drawn
 * here, so that the secret is sent nowhere for its picture.
 */
function qrCode(text) {
  const { data, size } = encode(text, { ecc: 'M', border: 4 })
  const squares = data.flatMap((line, y) =>
    line.flatMap((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : [])),
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
  place.replaceChildren(
    qrCode(otpauth_uri),
    el(
      'div',
      {},
      el(
        'p',
        { className: 'hint' },
        'Scan the code with an authenticator app, or ',
        link(otpauth_uri, 'open the app on this device'),
        '. You can also enter this key:',
      ),
      // Groups are easier to type. Authenticator apps ignore the spaces.
      el('code', { className: 'shown-once' }, secret.match(/.{1,4}/g).join(' ')),
    ),
  )
}
