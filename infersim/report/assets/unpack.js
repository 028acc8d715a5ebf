"use strict";
// Unpacks what the page carries: seven bits in each character, deflated (made by `packing.py`). The rest is done by
// the browser, which is how a page stays one file.
async function unpack(name) {
  const characters = document.getElementById(name).textContent;
  const bytes = new Uint8Array(Math.floor((characters.length * 7) / 8));
  let held = 0;
  let bits = 0;
  let place = 0;
  for (let index = 0; index < characters.length; index++) {
    held = ((held << 7) | (characters.charCodeAt(index) & 127)) & 0x7fff;
    bits += 7;
    if (bits < 8) continue;
    bits -= 8;
    bytes[place++] = held >> bits;
  }
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")));
}
